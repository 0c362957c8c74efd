package pipeline

import (
	"testing"

	"ghlsync/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
