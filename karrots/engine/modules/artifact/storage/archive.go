package storage

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The modes that everything in an archive gets, as in the published store: fluxcd/pkg/tar would keep the modes of the
// checkout, and with them the umask of this computer would be part of an artifact's digest.
const (
	archivedFolder  = 0o750
	archivedFile    = 0o600
	archivedProgram = 0o700
)

// pack writes a compressed tar file of the folder. Besides names, contents and whether a file can be executed it holds
// nothing, so the same tree is the same archive everywhere.
func pack(w io.Writer, folder string, filter ArchiveFileFilter) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	err := filepath.WalkDir(folder, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.Type().IsRegular() && !entry.IsDir() {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if filter != nil && filter(p, info) {
			// A folder that is left out is walked all the same: a later pattern may take a file in it back in.
			return nil
		}
		name, err := filepath.Rel(folder, p)
		if err != nil {
			return err
		}
		return add(archive, filepath.ToSlash(name), p, info)
	})
	return errors.Join(err, archive.Close(), zipped.Close())
}

func add(archive *tar.Writer, name, p string, info fs.FileInfo) error {
	header := &tar.Header{Name: name}
	switch {
	case info.IsDir():
		header.Typeflag, header.Mode = tar.TypeDir, archivedFolder
		return archive.WriteHeader(header)
	case info.Mode()&0o111 != 0:
		header.Mode = archivedProgram
	default:
		header.Mode = archivedFile
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	file, err := os.Open(p)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(archive, file); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	return nil
}
