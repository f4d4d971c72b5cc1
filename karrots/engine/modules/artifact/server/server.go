// Package server hands stored artifacts out over HTTP.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/fluxcd/pkg/artifact/config"
)

// drain is how long downloads that are under way may take after the order to stop.
const drain = 3 * time.Second

// Start serves the storage folder until ctx ends, and returns when the last connection is closed.
func Start(ctx context.Context, options *config.Options) error {
	root, err := os.OpenRoot(options.StoragePath)
	if err != nil {
		return fmt.Errorf("open the artifact folder: %w", err)
	}
	defer root.Close()
	listener, err := net.Listen("tcp", options.StorageAddress)
	if err != nil {
		return fmt.Errorf("listen for artifact downloads: %w", err)
	}
	return serve(ctx, listener, Files(root))
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		if server.Shutdown(deadline) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Files serves the regular files below root, and nothing else: no listings, no hidden files (half-written artifacts
// are such), and no link that leads out of root.
func Files(root *os.Root) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		file, info, err := open(root, r.URL.Path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer file.Close()
		// Without a type ServeContent would read the first bytes to guess one.
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", info.ModTime(), file)
	})
}

func open(root *os.Root, urlPath string) (*os.File, os.FileInfo, error) {
	name := strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if name == "" || strings.Contains("/"+name, "/.") {
		return nil, nil, os.ErrNotExist
	}
	// Looked at before it is opened: opening a named pipe would wait for a writer.
	info, err := root.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, os.ErrNotExist
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return file, info, nil
}
