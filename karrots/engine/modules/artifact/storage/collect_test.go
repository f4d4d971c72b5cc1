package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
)

// aged stores artifacts of the given ages, oldest first, and returns the last.
func aged(t *testing.T, store *Storage, revisions []string, ages map[string]time.Duration) meta.Artifact {
	t.Helper()
	var artifact meta.Artifact
	for _, revision := range revisions {
		artifact = stores(t, store, revision, revision)
		then := time.Now().Add(-ages[revision])
		if err := os.Chtimes(store.LocalPath(artifact), then, then); err != nil {
			t.Fatal(err)
		}
	}
	return artifact
}

func left(t *testing.T, store *Storage) string {
	t.Helper()
	var found []string
	for _, name := range names(t, store) {
		found = append(found, strings.TrimSuffix(filepath.Base(name), ".tar.gz"))
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

func TestGarbageCollectKeepsTheNewestYoungOnes(t *testing.T) {
	ages := map[string]time.Duration{"a": 40 * time.Second, "b": 30 * time.Second, "c": 20 * time.Second, "d": 0}
	for _, test := range []struct {
		name    string
		records int
		ttl     time.Duration
		want    string
	}{
		{"by number", 2, time.Minute, "c d"},
		{"by age", 10, 25 * time.Second, "c d"},
		{"by both", 3, 25 * time.Second, "c d"},
		{"room for all", 4, time.Minute, "a b c d"},
		{"only the current one", 1, time.Minute, "d"},
		{"never the current one", 0, 0, "d"},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := opened(t)
			store.records, store.ttl = test.records, test.ttl
			current := aged(t, store, []string{"a", "b", "c", "d"}, ages)
			before := len(names(t, store))
			removed, err := store.GarbageCollect(t.Context(), current, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if got := left(t, store); got != test.want {
				t.Errorf("left %q, want %q", got, test.want)
			}
			if len(removed) != before-len(names(t, store)) {
				t.Errorf("said to have removed %v", removed)
			}
		})
	}
}

func TestGarbageCollectKeepsAnOldCurrentOne(t *testing.T) {
	store := opened(t)
	current := aged(t, store, []string{"a", "b"}, map[string]time.Duration{"a": time.Hour, "b": 0})
	current.Path = strings.Replace(current.Path, "b.tar.gz", "a.tar.gz", 1)
	if _, err := store.GarbageCollect(t.Context(), current, time.Second); err != nil {
		t.Fatal(err)
	}
	if got := left(t, store); got != "a b" {
		t.Errorf("left %q", got)
	}
}

func TestGarbageCollectLeavesLinksFoldersAndOtherObjects(t *testing.T) {
	store := opened(t)
	store.records = 1
	current := aged(t, store, []string{"a", "b"}, nil)
	other := store.NewArtifactFor("GitRepository", object("flux-system", "other"), "x", "x.tar.gz")
	if err := errors.Join(store.MkdirAll(other), store.Copy(&other, strings.NewReader("x"))); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Symlink(current, "latest.tar.gz"); err != nil {
		t.Fatal(err)
	}
	folder(t, filepath.Dir(store.LocalPath(current)), "folder")
	if _, err := store.GarbageCollect(t.Context(), current, time.Second); err != nil {
		t.Fatal(err)
	}
	if got := left(t, store); got != "b latest x" {
		t.Errorf("left %q", got)
	}
}

func TestGarbageCollectTakesWhatInterruptedWritesLeft(t *testing.T) {
	store := opened(t)
	current := stores(t, store, "a", "a")
	half := filepath.Join(filepath.Dir(store.LocalPath(current)), partialPrefix+"KILLED")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	removed, err := store.GarbageCollect(t.Context(), current, time.Second)
	if err != nil || !slices.Equal(removed, []string{half}) {
		t.Errorf("got %v %v", removed, err)
	}
	if got := left(t, store); got != "a" {
		t.Errorf("left %q", got)
	}
}

func TestGarbageCollectWithoutAFolderFindsNothing(t *testing.T) {
	store := opened(t)
	removed, err := store.GarbageCollect(t.Context(), fleet(store, "abc"), time.Second)
	if err != nil || len(removed) != 0 {
		t.Errorf("got %v %v", removed, err)
	}
}

func TestGarbageCollectWaitsForTheLockAndNotForEver(t *testing.T) {
	store := opened(t)
	store.records = 1
	current := aged(t, store, []string{"a", "b"}, nil)
	unlock, err := store.Lock(current)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.GarbageCollect(t.Context(), current, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked: got %v", err)
	}
	if got := left(t, store); got != "a b" {
		t.Errorf("left %q", got)
	}
	unlock()
	if removed, err := store.GarbageCollect(t.Context(), current, time.Minute); err != nil || len(removed) != 1 {
		t.Errorf("free again: got %v %v", removed, err)
	}
}

func TestGarbageCollectStopsWithItsContext(t *testing.T) {
	store := opened(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if removed, err := store.removeFiles(ended, []string{"a"}); !errors.Is(err, context.Canceled) || len(removed) != 0 {
		t.Errorf("got %v %v", removed, err)
	}
}
