package storage

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/fluxcd/pkg/apis/meta"
)

func TestALockIsHeldByOne(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	var workers sync.WaitGroup
	inside, turns := 0, 0
	for range 8 {
		workers.Go(func() {
			for range 100 {
				unlock, err := store.Lock(artifact)
				if err != nil {
					t.Error(err)
					return
				}
				if inside++; inside != 1 {
					t.Error("two hold the lock")
				}
				turns++
				inside--
				unlock()
			}
		})
	}
	workers.Wait()
	if turns != 800 {
		t.Errorf("got %d turns", turns)
	}
	if len(store.locks.keys) != 0 {
		t.Errorf("%d keys are left", len(store.locks.keys))
	}
}

func TestRevisionsOfOneObjectShareALockAndObjectsDoNot(t *testing.T) {
	store := opened(t)
	unlock, err := store.Lock(fleet(store, "one"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	other, err := store.Lock(store.NewArtifactFor("GitRepository", object("flux-system", "other"), "1", "1.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	other()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := store.locks.acquire(ended, "gitrepository/flux-system/fleet"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestUnlockingTwiceFreesOnce(t *testing.T) {
	store := opened(t)
	first, err := store.Lock(fleet(store, "abc"))
	if err != nil {
		t.Fatal(err)
	}
	first()
	second, err := store.Lock(fleet(store, "abc"))
	if err != nil {
		t.Fatal(err)
	}
	first()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := store.locks.acquire(ended, "gitrepository/flux-system/fleet"); err == nil {
		t.Error("the second holder lost the lock")
	}
	second()
}

func TestAPathOutsideCannotBeLocked(t *testing.T) {
	store := opened(t)
	if _, err := store.Lock(meta.Artifact{Path: "../x"}); err == nil {
		t.Error("no error")
	}
}
