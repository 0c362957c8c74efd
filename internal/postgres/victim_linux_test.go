package postgres

import "testing"

func TestKernelInterruptsAServerWithoutKeeper(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	pid := runVictim(t, "unkept", dir)
	eventually(t, "the server ends", func() bool { return !exists(pid) })
}
