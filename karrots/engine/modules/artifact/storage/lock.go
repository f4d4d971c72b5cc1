package storage

import (
	"context"
	"fmt"
	"sync"
)

// locks is a mutex a key. A key nobody holds or waits for takes no memory, so it does not grow with objects that came
// and went.
type locks struct {
	mu   sync.Mutex
	keys map[string]*lock
}

type lock struct {
	token chan struct{}
	users int
}

// acquire waits for the key, at most until ctx ends. The returned function may be called more than once.
func (l *locks) acquire(ctx context.Context, key string) (func(), error) {
	entry := l.enter(key)
	select {
	case entry.token <- struct{}{}:
		return sync.OnceFunc(func() {
			<-entry.token
			l.leave(key, entry)
		}), nil
	case <-ctx.Done():
		l.leave(key, entry)
		return nil, fmt.Errorf("wait for the lock of %s: %w", key, ctx.Err())
	}
}

func (l *locks) enter(key string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = map[string]*lock{}
	}
	entry, known := l.keys[key]
	if !known {
		entry = &lock{token: make(chan struct{}, 1)}
		l.keys[key] = entry
	}
	entry.users++
	return entry
}

func (l *locks) leave(key string, entry *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.users--
	if entry.users == 0 {
		delete(l.keys, key)
	}
}
