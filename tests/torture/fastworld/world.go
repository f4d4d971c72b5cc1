package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	lookAgain = 5 * time.Millisecond
	// Nothing of a world lives longer, whatever became of those who should have ended it.
	longestLife = 30 * time.Minute
	// A process whose cluster's folder is gone ends by itself, but not so soon that nobody could see it was left.
	lonelyLife = 20 * time.Second
)

// home is the folder below which karrots keeps everything in this world.
func home() string {
	return os.Getenv("KARROTS_HOME")
}

func clustersHome() string {
	return filepath.Join(home(), "state", "engine", "clusters")
}

// at is a place where a run can be told to go wrong. The file KARROTS_HOME/fastworld.fault holds "ACTION STAGE":
// hold (wait until the file is gone), kill (SIGKILL to ourselves, once), fail (answers an error, once).
func at(stage string) error {
	file := filepath.Join(home(), "fastworld.fault")
	for {
		text, err := os.ReadFile(file)
		words := strings.Fields(string(text))
		if err != nil || len(words) != 2 || words[1] != stage {
			return nil
		}
		switch words[0] {
		case "hold":
			time.Sleep(lookAgain)
			continue
		case "kill":
			if os.Remove(file) == nil {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		case "fail":
			if os.Remove(file) == nil {
				return fmt.Errorf("told to fail at %s", stage)
			}
		}
		return nil
	}
}

// writePrivate writes a whole file of mode 0600 or leaves the old one.
func writePrivate(path string, data []byte) error {
	beside := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	if err := os.WriteFile(beside, data, 0o600); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(path, append(data, '\n'))
}

// held takes karrots' own lock file at path, as karrots.engine.locks does; the answer gives it back.
func held(path string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	end := time.Now().Add(2 * time.Minute)
	for {
		handle, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if syscall.Flock(int(handle.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && stillAt(path, handle) {
			_ = handle.Truncate(0)
			_, _ = handle.WriteString(strconv.Itoa(os.Getpid()))
			return func() { _ = os.Remove(path); _ = handle.Close() }, nil
		}
		_ = handle.Close()
		if time.Now().After(end) {
			return nil, fmt.Errorf("%s is locked by another karrots", path)
		}
		time.Sleep(4 * lookAgain)
	}
}

func stillAt(path string, handle *os.File) bool {
	there, err := os.Stat(path)
	ours, err2 := handle.Stat()
	return err == nil && err2 == nil && os.SameFile(there, ours)
}

// born is a mark of a process that no other one has, as karrots.computer tells it; ” when there is no such process.
func born(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	ids := uint64(0)
	if about, err := os.Stat("/proc/self/ns/pid"); err == nil {
		ids = about.Sys().(*syscall.Stat_t).Ino
	}
	return fmt.Sprintf("%s/%d/%s", strings.TrimSpace(string(boot)), ids, fields[19])
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// untilLonely returns when the folder has been gone for a while, or at the end of the longest life.
func untilLonely(folder string) {
	born := time.Now()
	ours, err := os.Stat(folder)
	missing := time.Duration(0)
	for time.Since(born) < longestLife && missing < lonelyLife {
		time.Sleep(time.Second)
		there, err2 := os.Stat(folder)
		if err != nil || err2 != nil || !os.SameFile(ours, there) {
			missing += time.Second
		} else {
			missing = 0
		}
	}
}

// idle is a component that only has to live.
func idle(program string) int {
	untilLonely(filepath.Dir(filepath.Dir(program)))
	return 0
}
