package storage

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/sourceignore"
	"github.com/fluxcd/pkg/sourceignore/gitignore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxcd/pkg/artifact/digest"
)

// partialPrefix marks what is being written; such files are neither served nor counted as artifacts.
const partialPrefix = ".partial-"

// ArchiveFileFilter says which files and folders stay out of an archive; p is an absolute path.
type ArchiveFileFilter func(p string, info os.FileInfo) bool

// SourceIgnoreFilter leaves out what the patterns and the controller's default exclusions name.
func SourceIgnoreFilter(patterns []gitignore.Pattern, domain []string) ArchiveFileFilter {
	matcher := sourceignore.NewDefaultMatcher(patterns, domain)
	return func(p string, info os.FileInfo) bool {
		return matcher.Match(strings.Split(p, string(filepath.Separator)), info.IsDir())
	}
}

// Archive stores a folder's regular files and folders as a compressed tar file; links and what the filter names are
// left out. Digest, size and time of the artifact are set when its file is in place.
func (s *Storage) Archive(artifact *meta.Artifact, folder string, filter ArchiveFileFilter) error {
	return s.write(artifact, fileMode, func(w io.Writer) error {
		return pack(w, folder, filter)
	})
}

// Copy stores what the reader gives.
func (s *Storage) Copy(artifact *meta.Artifact, reader io.Reader) error {
	return s.AtomicWriteFile(artifact, reader, fileMode)
}

// CopyFromPath stores a file.
func (s *Storage) CopyFromPath(artifact *meta.Artifact, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return s.Copy(artifact, file)
}

// AtomicWriteFile stores what the reader gives in a file of the given mode.
func (s *Storage) AtomicWriteFile(artifact *meta.Artifact, reader io.Reader, mode os.FileMode) error {
	return s.write(artifact, mode, func(w io.Writer) error {
		_, err := io.Copy(w, reader)
		return err
	})
}

// write makes the artifact's file appear whole or not at all, and describes it in the artifact only once it is there.
func (s *Storage) write(artifact *meta.Artifact, mode fs.FileMode, fill func(io.Writer) error) error {
	name, err := fileOf(*artifact)
	if err != nil {
		return err
	}
	fresh := partial(name)
	file, err := s.root.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	digester := digest.Canonical.Digester()
	size := int64(0)
	err = fill(io.MultiWriter(file, digester.Hash(), (*counter)(&size)))
	if err = errors.Join(err, finish(file, mode, err == nil)); err == nil {
		err = s.root.Rename(fresh, name)
	}
	if err != nil {
		return errors.Join(err, s.root.Remove(fresh))
	}
	artifact.Digest = digester.Digest().String()
	artifact.LastUpdateTime = metav1.Now()
	artifact.Size = &size
	return nil
}

// finish closes the file; a good one is on the disk before it gets its name, so a power cut cannot leave an empty
// artifact under a name that promises a revision.
func finish(file *os.File, mode fs.FileMode, good bool) error {
	var err error
	if good {
		err = errors.Join(file.Chmod(mode), file.Sync())
	}
	return errors.Join(err, file.Close())
}

func partial(name string) string {
	return path.Join(path.Dir(name), partialPrefix+rand.Text())
}

type counter int64

func (c *counter) Write(data []byte) (int, error) {
	*c += counter(len(data))
	return len(data), nil
}
