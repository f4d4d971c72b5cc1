package storage

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
)

type stored struct {
	name     string
	modified time.Time
}

// GarbageCollect deletes superseded artifacts of the current artifact's object and returns their files. The current
// one always stays. Of the others only the newest stay, so many that with the current one there are no more than the
// configured records, and of those only the ones younger than the configured time. What an interrupted write left goes
// as well.
func (s *Storage) GarbageCollect(ctx context.Context, current meta.Artifact, timeout time.Duration) ([]string, error) {
	name, err := fileOf(current)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	unlock, err := s.locks.acquire(ctx, path.Dir(name))
	if err != nil {
		return nil, err
	}
	defer unlock()
	others, leftovers, err := s.besides(name)
	if err != nil {
		return nil, err
	}
	return s.removeFiles(ctx, append(leftovers, s.superseded(others, time.Now())...))
}

// besides lists the other artifacts in the folder of `name`, and what interrupted writes left there. The caller holds
// the object's lock, so no write is under way.
func (s *Storage) besides(name string) (others []stored, leftovers []string, err error) {
	folder := path.Dir(name)
	entries, err := fs.ReadDir(s.root.FS(), folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for _, entry := range entries {
		file := path.Join(folder, entry.Name())
		if strings.HasPrefix(entry.Name(), partialPrefix) {
			leftovers = append(leftovers, file)
			continue
		}
		if file == name || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // Remove() asks for no lock.
		}
		if err != nil {
			return nil, nil, err
		}
		others = append(others, stored{name: file, modified: info.ModTime()})
	}
	return others, leftovers, nil
}

func (s *Storage) superseded(others []stored, now time.Time) []string {
	slices.SortFunc(others, func(a, b stored) int {
		return cmp.Or(b.modified.Compare(a.modified), strings.Compare(a.name, b.name))
	})
	var names []string
	for newer, other := range others {
		if newer+1 >= s.records || now.Sub(other.modified) > s.ttl {
			names = append(names, other.name)
		}
	}
	return names
}

func (s *Storage) removeFiles(ctx context.Context, names []string) ([]string, error) {
	var removed []string
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed = append(removed, s.absolute(name))
	}
	return removed, nil
}
