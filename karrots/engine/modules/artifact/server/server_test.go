package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fluxcd/pkg/artifact/config"
)

func put(t *testing.T, parts ...string) {
	t.Helper()
	name := filepath.Join(parts[:len(parts)-1]...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(parts[len(parts)-1]), 0o600); err != nil {
		t.Fatal(err)
	}
}

func serving(t *testing.T, base string) *httptest.Server {
	t.Helper()
	root, err := os.OpenRoot(base)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(Files(root))
	t.Cleanup(func() {
		server.Close()
		_ = root.Close()
	})
	return server
}

func ask(t *testing.T, server *httptest.Server, method, path string, header ...string) (int, string, http.Header) {
	t.Helper()
	// The path goes over the wire as it stands: a client that cleans it would hide what is tested.
	request, err := http.NewRequest(method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = path
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func TestServesFilesAndLinksWithinTheStore(t *testing.T) {
	base := t.TempDir()
	put(t, base, "gitrepository", "flux-system", "fleet", "abc.tar.gz", "content")
	if err := os.Symlink("abc.tar.gz", filepath.Join(base, "gitrepository/flux-system/fleet/latest.tar.gz")); err != nil {
		t.Fatal(err)
	}
	server := serving(t, base)
	for _, name := range []string{"abc.tar.gz", "latest.tar.gz"} {
		status, body, header := ask(t, server, "GET", "/gitrepository/flux-system/fleet/"+name)
		if status != 200 || body != "content" || header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: got %d %q %v", name, status, body, header)
		}
	}
	if status, body, header := ask(t, server, "HEAD", "/gitrepository/flux-system/fleet/abc.tar.gz"); status != 200 ||
		body != "" || header.Get("Content-Length") != "7" {
		t.Errorf("HEAD: got %d %q %v", status, body, header)
	}
	if status, body, _ := ask(t, server, "GET", "/gitrepository/flux-system/fleet/abc.tar.gz", "Range", "bytes=3-"); status != 206 || body != "tent" {
		t.Errorf("range: got %d %q", status, body)
	}
}

func TestServesNothingElse(t *testing.T) {
	outer := t.TempDir()
	base := filepath.Join(outer, "store")
	put(t, outer, "secret", "secret")
	put(t, base, "a", "b", "file", "content")
	put(t, base, "a", "b", ".partial-X", "half")
	put(t, base, ".hidden", "file", "hidden")
	for link, target := range map[string]string{
		"a/relative": "../../secret", "a/absolute": filepath.Join(outer, "secret"), "a/dangling": "nowhere", "a/loop": "loop",
		"a/up": "../..",
	} {
		if err := os.Symlink(target, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(base, "a", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := serving(t, base)
	for _, path := range []string{
		"/", "/a", "/a/", "/a/b/", "/nothing", "/../secret", "/a/../../secret", "/%2e%2e/secret", "/a/b/..%2f..%2f..%2fsecret",
		"//../secret", "/a/b/.partial-X", "/.hidden/file", "/a/relative", "/a/absolute", "/a/dangling", "/a/loop",
		"/a/up/secret", "/a/pipe", "/a/b/file/", "/a/b/file%00", "/a/b/file/x",
	} {
		// Only the trailing slash of a file's own name is forgiven.
		if status, body, _ := ask(t, server, "GET", path); status == 200 && path != "/a/b/file/" || strings.Contains(body, "secret") {
			t.Errorf("%s: got %d %q", path, status, body)
		}
	}
}

func TestOnlyReads(t *testing.T) {
	base := t.TempDir()
	put(t, base, "a", "file", "content")
	server := serving(t, base)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if status, _, header := ask(t, server, method, "/a/file"); status != 405 || header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d", method, status)
		}
	}
}

func TestStartServesUntilTheContextEnds(t *testing.T) {
	base := t.TempDir()
	put(t, base, "a", "file", "content")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, Files(root)) }()
	response, err := http.Get("http://" + listener.Addr().String() + "/a/file")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("got %s", response.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("an ordered stop is no error: %v", err)
	}
	if connection, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		_ = connection.Close()
		t.Error("the port is still open")
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	missing := &config.Options{StoragePath: filepath.Join(t.TempDir(), "missing"), StorageAddress: "127.0.0.1:0"}
	if err := Start(context.Background(), missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: got %v", err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := &config.Options{StoragePath: t.TempDir(), StorageAddress: taken.Addr().String()}
	if err := Start(context.Background(), busy); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("taken port: got %v", err)
	}
}
