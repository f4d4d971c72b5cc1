// Package storage keeps artifacts as files: one folder an object, one file a revision.
//
//	<base>/<kind>/<namespace>/<name>/<file>
//
// An artifact's path comes from an object's status or from a chart's own name, so it is not trusted: each is checked,
// and every access goes through an os.Root, which no path and no symbolic link can leave.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/tar"
	godigest "github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxcd/pkg/artifact/config"
	"github.com/fluxcd/pkg/artifact/digest"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
)

// Storage is a folder of artifacts.
type Storage struct {
	// BasePath is the folder itself.
	BasePath string
	// Hostname is the host and port in the URLs of artifacts.
	Hostname string

	root    *os.Root
	ttl     time.Duration
	records int
	locks   locks
}

// New opens the store; its folder must exist.
func New(options *config.Options) (*Storage, error) {
	algorithm, err := digest.AlgorithmForName(options.ArtifactDigestAlgo)
	if err != nil {
		return nil, err
	}
	base, err := filepath.Abs(options.StoragePath)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return nil, fmt.Errorf("open the artifact folder: %w", err)
	}
	digest.Canonical = algorithm
	return &Storage{
		BasePath: base,
		Hostname: options.Host(),
		root:     root,
		ttl:      options.ArtifactRetentionTTL,
		records:  options.ArtifactRetentionRecords,
	}, nil
}

// NewArtifactFor names the artifact of an object at a revision; nothing is written.
func (s *Storage) NewArtifactFor(kind string, object metav1.Object, revision, fileName string) meta.Artifact {
	// Joined as they are and not cleaned: a file name that tries to climb must be seen by fileOf.
	parts := []string{strings.ToLower(kind), object.GetNamespace(), object.GetName(), fileName}
	present := slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	artifact := meta.Artifact{Path: strings.Join(present, "/"), Revision: revision}
	s.SetArtifactURL(&artifact)
	return artifact
}

// SetArtifactURL points the artifact's URL at this store's server.
func (s *Storage) SetArtifactURL(artifact *meta.Artifact) {
	if artifact == nil || artifact.Path == "" {
		return
	}
	artifact.URL = s.url(artifact.Path)
}

// SetHostname swaps the host of a URL for this store's; a URL that cannot be read becomes empty.
func (s *Storage) SetHostname(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	parsed.Host = s.Hostname
	return parsed.String()
}

func (s *Storage) url(name string) string {
	address := url.URL{Scheme: "http", Host: s.Hostname, Path: "/" + strings.TrimLeft(name, "/")}
	return address.String()
}

// LocalPath is the artifact's file; empty when the artifact's path would leave the store.
func (s *Storage) LocalPath(artifact meta.Artifact) string {
	name, err := fileOf(artifact)
	if err != nil {
		return ""
	}
	return s.absolute(name)
}

func (s *Storage) absolute(name string) string {
	return filepath.Join(s.BasePath, filepath.FromSlash(name))
}

// fileOf is the artifact's path relative to the store. A path with a `..` in it is refused rather than repaired:
// nothing makes one by mistake.
func fileOf(artifact meta.Artifact) (string, error) {
	name := strings.TrimLeft(artifact.Path, "/")
	if name == "." || !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") {
		return "", fmt.Errorf("artifact path %q is not a path inside the store", artifact.Path)
	}
	return name, nil
}

// MkdirAll makes the folder of the artifact's object.
func (s *Storage) MkdirAll(artifact meta.Artifact) error {
	name, err := fileOf(artifact)
	if err != nil {
		return err
	}
	return s.root.MkdirAll(path.Dir(name), folderMode)
}

// Remove deletes the artifact's file; one that is gone already is no error.
func (s *Storage) Remove(artifact meta.Artifact) error {
	name, err := fileOf(artifact)
	if err != nil {
		return err
	}
	if err := s.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RemoveAll deletes the folder of the artifact's object and returns which; empty when there was none.
func (s *Storage) RemoveAll(artifact meta.Artifact) (string, error) {
	name, err := fileOf(artifact)
	if err != nil {
		return "", err
	}
	folder := path.Dir(name)
	if folder == "." {
		return "", fmt.Errorf("artifact path %q names no folder of its own", artifact.Path)
	}
	if _, err := s.root.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return s.absolute(folder), s.root.RemoveAll(folder)
}

// ArtifactExist says whether the artifact is a regular file; links are not followed.
func (s *Storage) ArtifactExist(artifact meta.Artifact) bool {
	name, err := fileOf(artifact)
	if err != nil {
		return false
	}
	info, err := s.root.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

// VerifyArtifact compares the artifact's file with its digest.
func (s *Storage) VerifyArtifact(artifact meta.Artifact) error {
	wanted, err := godigest.Parse(artifact.Digest)
	if err != nil {
		return fmt.Errorf("artifact digest %q: %w", artifact.Digest, err)
	}
	file, err := s.open(artifact)
	if err != nil {
		return err
	}
	defer file.Close()
	verifier := wanted.Verifier()
	if _, err := io.Copy(verifier, file); err != nil {
		return err
	}
	if !verifier.Verified() {
		return fmt.Errorf("the stored file does not have the digest %s", wanted)
	}
	return nil
}

func (s *Storage) open(artifact meta.Artifact) (*os.File, error) {
	name, err := fileOf(artifact)
	if err != nil {
		return nil, err
	}
	return s.root.Open(name)
}

// Symlink makes or moves the link `name` beside the artifact's file, and returns the link's URL.
func (s *Storage) Symlink(artifact meta.Artifact, name string) (string, error) {
	file, err := fileOf(artifact)
	if err != nil {
		return "", err
	}
	if name != path.Base(name) || name == ".." {
		return "", fmt.Errorf("link name %q is not a plain file name", name)
	}
	link := path.Join(path.Dir(file), name)
	if link == file {
		return "", fmt.Errorf("link name %q is the artifact's own", name)
	}
	fresh := partial(link)
	// The target is relative, so the whole store can be moved, and the file server can follow it without leaving it.
	if err := s.root.Symlink(path.Base(file), fresh); err != nil {
		return "", err
	}
	if err := s.root.Rename(fresh, link); err != nil {
		return "", errors.Join(err, s.root.Remove(fresh))
	}
	return s.url(link), nil
}

// CopyToPath unpacks the artifact and moves its sub-path to a place outside the store, which must not hold anything yet.
func (s *Storage) CopyToPath(artifact *meta.Artifact, subPath, toPath string) error {
	if artifact == nil {
		return errors.New("there is no artifact to copy from")
	}
	file, err := s.open(*artifact)
	if err != nil {
		return err
	}
	defer file.Close()
	parent := filepath.Dir(toPath)
	if err := os.MkdirAll(parent, folderMode); err != nil {
		return err
	}
	// Unpacked beside the target, where a rename cannot meet the border of a file system.
	scratch, err := os.MkdirTemp(parent, ".unpack-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	unpacked := filepath.Join(scratch, "unpack")
	// The store made the archive itself, from a source whose size the controller has already accepted.
	if err := tar.Untar(file, unpacked, tar.WithMaxUntarSize(tar.UnlimitedUntarSize), tar.WithSkipSymlinks()); err != nil {
		return fmt.Errorf("unpack the artifact: %w", err)
	}
	wanted := filepath.Join(unpacked, filepath.Clean("/"+subPath))
	if _, err := os.Lstat(wanted); err != nil {
		return err
	}
	return os.Rename(wanted, toPath)
}

// Lock gives the caller the artifact's object alone, until the returned function is called.
//
// It holds within this process only, which is enough: a store belongs to one controller, and what readers see changes
// by renames.
func (s *Storage) Lock(artifact meta.Artifact) (func(), error) {
	name, err := fileOf(artifact)
	if err != nil {
		return nil, err
	}
	return s.locks.acquire(context.Background(), path.Dir(name))
}
