package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// TestEncryption: how much the connection to a server with TLS is worth.
func TestEncryption(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{})
	r := newRig(t, pgtest.DatabaseOn(t, server))
	root := encrypt(t, server)
	r.db.Exec(t, `ALTER SYSTEM SET ssl = 'on'`)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	url, _, _ := strings.Cut(r.env["SENTRA_DATABASE_URL"], "?")
	for options, says := range map[string]string{
		"sslmode=disable":                         "stays on this machine",
		"sslmode=require":                         "anybody's certificate",
		"sslmode=verify-full&sslrootcert=" + root: "is checked",
	} {
		r.env["SENTRA_DATABASE_URL"] = url + "?" + options
		if got := r.expect(t, "encryption", doctor.OK); !strings.Contains(got.Detail, says) {
			t.Errorf("%s: %+v", options, got)
		}
	}
}

// encrypt gives the server a certificate for 127.0.0.1, signed by itself, and
// returns the path of a copy.
func encrypt(t *testing.T, server *postgres.Server) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	root := filepath.Join(t.TempDir(), "root.crt")
	for path, text := range map[string][]byte{
		root: encoded,
		filepath.Join(server.DataDir(), "server.crt"): encoded,
		filepath.Join(server.DataDir(), "server.key"): pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if path != root {
			belongTo(t, path, server.DataDir())
		}
	}
	return root
}

// belongTo gives a file to who has the directory: the server does not run as the
// test's user where that is root.
func belongTo(t *testing.T, path, dir string) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("the system does not tell who owns a file")
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
}
