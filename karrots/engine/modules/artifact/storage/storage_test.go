package storage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/sourceignore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxcd/pkg/artifact/config"
)

func opened(t *testing.T) *Storage {
	t.Helper()
	store, err := New(&config.Options{
		StoragePath:              filepath.Join(folder(t, t.TempDir(), "store")),
		StorageAddress:           "127.0.0.1:9090",
		ArtifactRetentionTTL:     time.Minute,
		ArtifactRetentionRecords: 2,
		ArtifactDigestAlgo:       "sha256",
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func folder(t *testing.T, parts ...string) string {
	t.Helper()
	name := filepath.Join(parts...)
	if err := os.MkdirAll(name, 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	base := t.TempDir()
	for name, content := range files {
		folder(t, base, filepath.Dir(name))
		if err := os.WriteFile(filepath.Join(base, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func object(namespace, name string) metav1.Object {
	return &metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func fleet(store *Storage, revision string) meta.Artifact {
	return store.NewArtifactFor("GitRepository", object("flux-system", "fleet"), revision, revision+".tar.gz")
}

func stores(t *testing.T, store *Storage, revision, content string) meta.Artifact {
	t.Helper()
	artifact := fleet(store, revision)
	if err := errors.Join(store.MkdirAll(artifact), store.Copy(&artifact, strings.NewReader(content))); err != nil {
		t.Fatal(err)
	}
	return artifact
}

func names(t *testing.T, store *Storage) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(store.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// entries of the artifact's archive: name -> content, folders with a trailing slash.
func entries(t *testing.T, store *Storage, artifact meta.Artifact) map[string]string {
	t.Helper()
	data, err := os.ReadFile(store.LocalPath(artifact))
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if mode := map[bool]int64{true: 0o750, false: 0o600}[header.FileInfo().IsDir()]; header.Mode != mode {
			t.Errorf("%s has the mode %o", header.Name, header.Mode)
		}
		if header.Uid != 0 || header.Gid != 0 || header.Uname+header.Gname != "" || header.ModTime.Unix() > 0 {
			t.Errorf("%s tells of this computer: %+v", header.Name, header)
		}
		found[header.Name] = string(content)
	}
}

// The paths no operation may follow: they leave the store, or name no file in it.
var hostile = []string{
	"", "/", ".", "..", "../x", "/../x", "a/../../x", "a/../x", "a/./x", "a//x", "a/x/", "a/..", `a\..\x`, "a/\x00", "//a//x",
}

func TestNewNeedsAFolderAndAnAlgorithm(t *testing.T) {
	file := filepath.Join(tree(t, map[string]string{"file": ""}), "file")
	for name, options := range map[string]config.Options{
		"missing folder":    {StoragePath: filepath.Join(t.TempDir(), "missing"), ArtifactDigestAlgo: "sha256"},
		"a file":            {StoragePath: file, ArtifactDigestAlgo: "sha256"},
		"unknown algorithm": {StoragePath: t.TempDir(), ArtifactDigestAlgo: "crc32"},
	} {
		if _, err := New(&options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAnArtifactIsNamedAfterItsObject(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	if artifact.Path != "gitrepository/flux-system/fleet/abc.tar.gz" || artifact.Revision != "abc" {
		t.Errorf("got %+v", artifact)
	}
	if artifact.URL != "http://127.0.0.1:9090/gitrepository/flux-system/fleet/abc.tar.gz" {
		t.Errorf("got %s", artifact.URL)
	}
	if want := filepath.Join(store.BasePath, "gitrepository/flux-system/fleet/abc.tar.gz"); store.LocalPath(artifact) != want {
		t.Errorf("got %s, want %s", store.LocalPath(artifact), want)
	}
	if bare := store.NewArtifactFor("Bucket", object("", "all"), "", "x"); bare.Path != "bucket/all/x" {
		t.Errorf("got %s", bare.Path)
	}
}

func TestURLsSurviveOddFileNames(t *testing.T) {
	store := opened(t)
	for _, name := range []string{"chart-1.0.0+build.5.tgz", "a b.tgz", "50%.tgz", "what?.tgz", "no#1.tgz", "ü.tgz"} {
		artifact := store.NewArtifactFor("HelmChart", object("shop", "front"), "", name)
		parsed, err := url.Parse(artifact.URL)
		if err != nil || parsed.Path != "/"+artifact.Path || parsed.RawQuery+parsed.Fragment != "" {
			t.Errorf("%s: got %s (%v)", name, artifact.URL, err)
		}
	}
}

func TestSetHostname(t *testing.T) {
	store := opened(t)
	for address, want := range map[string]string{
		"http://old.example.com:1/a/b.tgz": "http://127.0.0.1:9090/a/b.tgz",
		"":                                 "",
		"http://%zz":                       "",
	} {
		if got := store.SetHostname(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

func TestSetArtifactURLLeavesWhatHasNoPath(t *testing.T) {
	store := opened(t)
	store.SetArtifactURL(nil)
	artifact := meta.Artifact{URL: "as it was"}
	store.SetArtifactURL(&artifact)
	if artifact.URL != "as it was" {
		t.Errorf("got %s", artifact.URL)
	}
}

func TestNoPathLeavesTheStore(t *testing.T) {
	store := opened(t)
	outside := filepath.Join(filepath.Dir(store.BasePath), "x")
	if err := os.WriteFile(outside, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := stores(t, store, "kept", "kept")
	for _, path := range hostile {
		artifact := meta.Artifact{Path: path, Digest: kept.Digest}
		if got := store.LocalPath(artifact); got != "" {
			t.Errorf("%q: local path %q", path, got)
		}
		if store.ArtifactExist(artifact) {
			t.Errorf("%q: exists", path)
		}
		_, removeAll := store.RemoveAll(artifact)
		_, link := store.Symlink(artifact, "latest")
		_, lock := store.Lock(artifact)
		_, collect := store.GarbageCollect(t.Context(), artifact, time.Second)
		for name, err := range map[string]error{
			"MkdirAll": store.MkdirAll(artifact), "Remove": store.Remove(artifact), "RemoveAll": removeAll,
			"Verify": store.VerifyArtifact(artifact), "Copy": store.Copy(&artifact, strings.NewReader("evil")),
			"Archive": store.Archive(&artifact, t.TempDir(), nil), "Symlink": link, "Lock": lock, "GarbageCollect": collect,
			"CopyToPath": store.CopyToPath(&artifact, "", filepath.Join(t.TempDir(), "to")),
		} {
			if err == nil {
				t.Errorf("%s of %q: no error", name, path)
			}
		}
	}
	if data, err := os.ReadFile(outside); err != nil || string(data) != "precious" {
		t.Errorf("the file outside: %q %v", data, err)
	}
	if got := names(t, store); !slices.Equal(got, []string{kept.Path}) {
		t.Errorf("the store holds %v", got)
	}
}

func TestNoLinkLeadsOutOfTheStore(t *testing.T) {
	store := opened(t)
	outside := folder(t, filepath.Dir(store.BasePath), "outside")
	if err := os.WriteFile(filepath.Join(outside, "file"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(store.BasePath, "link")); err != nil {
		t.Fatal(err)
	}
	artifact := meta.Artifact{Path: "link/file"}
	if store.ArtifactExist(artifact) {
		t.Error("a file behind a link out of the store exists")
	}
	if err := store.Copy(&artifact, strings.NewReader("evil")); err == nil {
		t.Error("written through a link out of the store")
	}
	if err := store.Remove(artifact); err == nil {
		t.Error("removed through a link out of the store")
	}
	if data, err := os.ReadFile(filepath.Join(outside, "file")); err != nil || string(data) != "precious" {
		t.Errorf("the file outside: %q %v", data, err)
	}
	// Removing an object's folder that is such a link removes the link.
	if _, err := store.RemoveAll(artifact); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(outside, "file")); err != nil {
		t.Error(err)
	}
}

func TestAHostileChartNameIsRefused(t *testing.T) {
	store := opened(t)
	artifact := store.NewArtifactFor("HelmChart", object("shop", "front"), "1", "../../../../evil-1.tgz")
	if err := store.Copy(&artifact, strings.NewReader("evil")); err == nil {
		t.Errorf("stored at %s", artifact.Path)
	}
}

func TestCopyDescribesWhatItStored(t *testing.T) {
	store := opened(t)
	before := time.Now().Add(-time.Second)
	artifact := stores(t, store, "abc", "hello")
	if artifact.Digest != "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Errorf("digest: got %s", artifact.Digest)
	}
	if artifact.Size == nil || *artifact.Size != 5 {
		t.Errorf("size: got %v", artifact.Size)
	}
	if artifact.LastUpdateTime.Time.Before(before) {
		t.Errorf("time: got %s", artifact.LastUpdateTime)
	}
	info, err := os.Stat(store.LocalPath(artifact))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v %v", info, err)
	}
	if !store.ArtifactExist(artifact) {
		t.Error("it does not exist")
	}
	if err := store.VerifyArtifact(artifact); err != nil {
		t.Error(err)
	}
}

func TestAtomicWriteFileSetsTheMode(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	if err := errors.Join(store.MkdirAll(artifact), store.AtomicWriteFile(&artifact, strings.NewReader("x"), 0o640)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(store.LocalPath(artifact)); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("got %v %v", info, err)
	}
}

func TestCopyFromPath(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	base := tree(t, map[string]string{"chart.tgz": "chart"})
	if err := errors.Join(store.MkdirAll(artifact), store.CopyFromPath(&artifact, filepath.Join(base, "chart.tgz"))); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(store.LocalPath(artifact)); err != nil || string(data) != "chart" {
		t.Errorf("got %q %v", data, err)
	}
	if err := store.CopyFromPath(&artifact, filepath.Join(base, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: got %v", err)
	}
}

type failing struct{ after io.Reader }

func (f failing) Read(data []byte) (int, error) {
	n, err := f.after.Read(data)
	if errors.Is(err, io.EOF) {
		err = errors.New("the connection broke")
	}
	return n, err
}

func TestAFailedWriteLeavesTheOldFileAndNothingElse(t *testing.T) {
	store := opened(t)
	artifact := stores(t, store, "abc", "old")
	before := *artifact.DeepCopy()
	if err := store.Copy(&artifact, failing{strings.NewReader("new and half")}); err == nil {
		t.Fatal("no error")
	}
	if artifact.Digest != before.Digest || *artifact.Size != 3 || !artifact.LastUpdateTime.Equal(&before.LastUpdateTime) {
		t.Errorf("the artifact changed: %+v", artifact)
	}
	if err := store.VerifyArtifact(artifact); err != nil {
		t.Error(err)
	}
	if got := names(t, store); !slices.Equal(got, []string{artifact.Path}) {
		t.Errorf("the store holds %v", got)
	}
}

func TestAWriteWithoutItsFolderFails(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	if err := store.Copy(&artifact, strings.NewReader("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestReadersSeeWholeFilesOnly(t *testing.T) {
	store := opened(t)
	artifact := stores(t, store, "abc", strings.Repeat("a", 1<<20))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				data, err := os.ReadFile(store.LocalPath(artifact))
				if err != nil || len(data) != 1<<20 || bytes.Count(data, data[:1]) != 1<<20 {
					t.Errorf("read %d bytes, %v", len(data), err)
					return
				}
			}
		})
	}
	for turn := range 20 {
		written := artifact
		if err := store.Copy(&written, strings.NewReader(strings.Repeat(string(rune('b'+turn)), 1<<20))); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
}

func TestArchiveHoldsFilesAndFolders(t *testing.T) {
	store := opened(t)
	source := tree(t, map[string]string{"a/b/file.yaml": "1", "top.yaml": "2", ".git/config": "3"})
	folder(t, source, "empty")
	for link, target := range map[string]string{"link": "top.yaml", "out": "/etc/passwd", "up": "a"} {
		if err := os.Symlink(target, filepath.Join(source, link)); err != nil {
			t.Fatal(err)
		}
	}
	artifact := fleet(store, "abc")
	if err := errors.Join(store.MkdirAll(artifact), store.Archive(&artifact, source, nil)); err != nil {
		t.Fatal(err)
	}
	want := []string{".", ".git", ".git/config", "a", "a/b", "a/b/file.yaml", "empty", "top.yaml"}
	got := entries(t, store, artifact)
	if found := slices.Sorted(maps.Keys(got)); !slices.Equal(found, want) {
		t.Errorf("got %v, want %v", found, want)
	}
	if got["a/b/file.yaml"] != "1" || got["top.yaml"] != "2" {
		t.Errorf("got %v", got)
	}
	if err := store.VerifyArtifact(artifact); err != nil {
		t.Error(err)
	}
}

func TestTheSameTreeIsTheSameArchive(t *testing.T) {
	store := opened(t)
	files := map[string]string{"a/b/file.yaml": "1", "top.yaml": "2", "z/last.yaml": "3"}
	var digests []string
	for range 2 {
		source := tree(t, files)
		past := time.Unix(int64(1000*(1+len(digests))), 0)
		mode := []os.FileMode{0o600, 0o664}[len(digests)]
		err := errors.Join(
			os.Chtimes(filepath.Join(source, "top.yaml"), past, past),
			os.Chmod(filepath.Join(source, "top.yaml"), mode),
			os.Chmod(filepath.Join(source, "a"), mode|0o111),
		)
		if err != nil {
			t.Fatal(err)
		}
		artifact := fleet(store, "abc")
		if err := errors.Join(store.MkdirAll(artifact), store.Archive(&artifact, source, nil)); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, artifact.Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("got %v", digests)
	}
}

func TestAProgramStaysOne(t *testing.T) {
	store := opened(t)
	source := tree(t, map[string]string{"run.sh": "#!/bin/sh"})
	if err := os.Chmod(filepath.Join(source, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	artifact, target := fleet(store, "abc"), filepath.Join(t.TempDir(), "to")
	err := errors.Join(store.MkdirAll(artifact), store.Archive(&artifact, source, nil), store.CopyToPath(&artifact, "", target))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(target, "run.sh")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v %v", info, err)
	}
}

func TestArchiveTakesAFileBackInFromAFolderThatIsLeftOut(t *testing.T) {
	store := opened(t)
	source := tree(t, map[string]string{"out/kept": "1", "out/dropped": "2"})
	artifact := fleet(store, "abc")
	filter := func(p string, info os.FileInfo) bool { return info.Name() == "out" || info.Name() == "dropped" }
	if err := errors.Join(store.MkdirAll(artifact), store.Archive(&artifact, source, filter)); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(entries(t, store, artifact))); !slices.Equal(got, []string{".", "out/kept"}) {
		t.Errorf("got %v", got)
	}
}

func TestArchiveOfNoFolderFails(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	if err := store.MkdirAll(artifact); err != nil {
		t.Fatal(err)
	}
	if err := store.Archive(&artifact, filepath.Join(t.TempDir(), "missing"), nil); err == nil {
		t.Error("no error")
	}
	if got := names(t, store); len(got) != 0 {
		t.Errorf("the store holds %v", got)
	}
}

func TestSourceIgnoreFilter(t *testing.T) {
	store := opened(t)
	source := tree(t, map[string]string{
		".git/config": "", ".github/workflow.yml": "", "picture.png": "", "kept.yaml": "", "docs/page.md": "",
		"docs/kept.yaml": "", ".sourceignore": "docs/*\n!docs/kept.yaml\n", "deep/down/.git/config": "", "drop.txt": "",
	})
	domain := strings.Split(source, string(filepath.Separator))
	patterns, err := sourceignore.LoadIgnorePatterns(source, domain)
	if err != nil {
		t.Fatal(err)
	}
	patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader("drop.txt"), domain)...)
	artifact := fleet(store, "abc")
	err = errors.Join(store.MkdirAll(artifact), store.Archive(&artifact, source, SourceIgnoreFilter(patterns, domain)))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for name := range entries(t, store, artifact) {
		if info, err := os.Stat(filepath.Join(source, name)); err == nil && !info.IsDir() {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	if want := []string{".sourceignore", "docs/kept.yaml", "kept.yaml"}; !slices.Equal(files, want) {
		t.Errorf("got %v, want %v", files, want)
	}
}

func TestVerifyArtifact(t *testing.T) {
	store := opened(t)
	artifact := stores(t, store, "abc", "hello")
	for name, change := range map[string]func(*meta.Artifact){
		"other digest":      func(a *meta.Artifact) { a.Digest = "sha256:" + strings.Repeat("0", 64) },
		"no digest":         func(a *meta.Artifact) { a.Digest = "" },
		"unknown algorithm": func(a *meta.Artifact) { a.Digest = "crc32:00000000" },
		"no file":           func(a *meta.Artifact) { a.Path = "gitrepository/flux-system/fleet/gone.tar.gz" },
	} {
		changed := *artifact.DeepCopy()
		change(&changed)
		if err := store.VerifyArtifact(changed); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := os.WriteFile(store.LocalPath(artifact), []byte("hellO"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.VerifyArtifact(artifact); err == nil {
		t.Error("changed file: no error")
	}
}

func TestOtherAlgorithms(t *testing.T) {
	defaults := opened(t)
	t.Cleanup(func() { _, _ = New(&config.Options{StoragePath: defaults.BasePath, ArtifactDigestAlgo: "sha256"}) })
	store, err := New(&config.Options{StoragePath: defaults.BasePath, ArtifactDigestAlgo: "sha512"})
	if err != nil {
		t.Fatal(err)
	}
	artifact := stores(t, store, "abc", "hello")
	if !strings.HasPrefix(artifact.Digest, "sha512:") {
		t.Errorf("got %s", artifact.Digest)
	}
	if err := store.VerifyArtifact(artifact); err != nil {
		t.Error(err)
	}
}

func TestArtifactExistMeansARegularFile(t *testing.T) {
	store := opened(t)
	artifact := stores(t, store, "abc", "x")
	if _, err := store.Symlink(artifact, "latest.tar.gz"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		artifact.Path: true, "gitrepository/flux-system/fleet/latest.tar.gz": false, "gitrepository/flux-system/fleet": false,
		"gitrepository/flux-system/fleet/none": false,
	} {
		if got := store.ArtifactExist(meta.Artifact{Path: path}); got != want {
			t.Errorf("%s: got %v", path, got)
		}
	}
}

func TestRemove(t *testing.T) {
	store := opened(t)
	artifact := stores(t, store, "abc", "x")
	for range 2 {
		if err := store.Remove(artifact); err != nil {
			t.Fatal(err)
		}
	}
	if store.ArtifactExist(artifact) {
		t.Error("it still exists")
	}
}

func TestRemoveAllTakesOneObjectsFolder(t *testing.T) {
	store := opened(t)
	gone, kept := stores(t, store, "abc", "x"), store.NewArtifactFor("GitRepository", object("flux-system", "other"), "1", "1.tar.gz")
	if err := errors.Join(store.MkdirAll(kept), store.Copy(&kept, strings.NewReader("y"))); err != nil {
		t.Fatal(err)
	}
	all := store.NewArtifactFor("GitRepository", object("flux-system", "fleet"), "", "*")
	removed, err := store.RemoveAll(all)
	if want := filepath.Dir(store.LocalPath(gone)); err != nil || removed != want {
		t.Errorf("got %q %v, want %q", removed, err, want)
	}
	if removed, err = store.RemoveAll(all); err != nil || removed != "" {
		t.Errorf("again: got %q %v", removed, err)
	}
	if got := names(t, store); !slices.Equal(got, []string{kept.Path}) {
		t.Errorf("the store holds %v", got)
	}
	// An artifact in the store's own folder has no folder of its own, and the store must not go with it.
	if _, err := store.RemoveAll(meta.Artifact{Path: "file"}); err == nil {
		t.Error("the whole store was offered")
	}
}

func TestSymlink(t *testing.T) {
	store := opened(t)
	for _, revision := range []string{"one", "two"} {
		artifact := stores(t, store, revision, revision)
		address, err := store.Symlink(artifact, "latest.tar.gz")
		if err != nil || address != "http://127.0.0.1:9090/gitrepository/flux-system/fleet/latest.tar.gz" {
			t.Fatalf("got %q %v", address, err)
		}
		link := filepath.Join(filepath.Dir(store.LocalPath(artifact)), "latest.tar.gz")
		if target, err := os.Readlink(link); err != nil || target != revision+".tar.gz" {
			t.Errorf("the link says %q %v", target, err)
		}
		if data, err := os.ReadFile(link); err != nil || string(data) != revision {
			t.Errorf("behind the link: %q %v", data, err)
		}
	}
	artifact := fleet(store, "two")
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/x", "two.tar.gz"} {
		if _, err := store.Symlink(artifact, name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
	if !store.ArtifactExist(artifact) {
		t.Error("the artifact was replaced by a link to itself")
	}
}

func TestCopyToPath(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	source := tree(t, map[string]string{"a/b/file.yaml": "1", "top.yaml": "2"})
	if err := errors.Join(store.MkdirAll(artifact), store.Archive(&artifact, source, nil)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ from, to, file, want string }{
		{"", "whole", "whole/a/b/file.yaml", "1"},
		{"/", "deep/er/whole", "deep/er/whole/top.yaml", "2"},
		{"a", "part", "part/b/file.yaml", "1"},
		{"./a/b/", "part2", "part2/file.yaml", "1"},
		{"top.yaml", "one.yaml", "one.yaml", "2"},
		{"../../a", "climbing", "climbing/b/file.yaml", "1"},
	} {
		base := t.TempDir()
		if err := store.CopyToPath(&artifact, test.from, filepath.Join(base, test.to)); err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if data, err := os.ReadFile(filepath.Join(base, test.file)); err != nil || string(data) != test.want {
			t.Errorf("%+v: got %q %v", test, data, err)
		}
		if left, _ := filepath.Glob(filepath.Join(base, ".unpack-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestCopyToPathSaysWhatIsWrong(t *testing.T) {
	store := opened(t)
	artifact := fleet(store, "abc")
	source := tree(t, map[string]string{"a/file": "1"})
	if err := errors.Join(store.MkdirAll(artifact), store.Archive(&artifact, source, nil)); err != nil {
		t.Fatal(err)
	}
	if err := store.CopyToPath(nil, "", filepath.Join(t.TempDir(), "to")); err == nil {
		t.Error("no artifact: no error")
	}
	if err := store.CopyToPath(&artifact, "../../etc/passwd", filepath.Join(t.TempDir(), "to")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such sub-path: got %v", err)
	}
	full := tree(t, map[string]string{"to/own": "precious"})
	if err := store.CopyToPath(&artifact, "a", filepath.Join(full, "to")); err == nil {
		t.Error("a full target: no error")
	}
	if data, err := os.ReadFile(filepath.Join(full, "to/own")); err != nil || string(data) != "precious" {
		t.Errorf("the target's own file: %q %v", data, err)
	}
	broken := stores(t, store, "broken", "this is no archive")
	if err := store.CopyToPath(&broken, "", filepath.Join(t.TempDir(), "to")); err == nil {
		t.Error("no archive: no error")
	}
}
