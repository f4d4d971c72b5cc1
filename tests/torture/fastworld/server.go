package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// The groups an API server has without further kinds.
var builtin = map[string]bool{
	"/api/v1": true, "/apis/apps/v1": true, "/apis/batch/v1": true, "/apis/networking.k8s.io/v1": true,
	"/apis/policy/v1": true, "/apis/rbac.authorization.k8s.io/v1": true, "/apis/coordination.k8s.io/v1": true,
	"/apis/apiextensions.k8s.io/v1": true, "/apis/admissionregistration.k8s.io/v1": true,
	"/apis/storage.k8s.io/v1": true, "/apis/apiregistration.k8s.io/v1": true, "/apis/events.k8s.io/v1": true,
}

// store holds every object by its path. Last is what a server-side apply said last of each.
type store struct {
	place    cluster
	Revision int               `json:"revision"`
	Objects  map[string]object `json:"objects"`
	Last     map[string]object `json:"last"`
	dirty    bool
	trees    map[string][]object
}

func newStore(place cluster) *store {
	return &store{place: place, Objects: map[string]object{}, Last: map[string]object{}, trees: map[string][]object{}}
}

func (s *store) load() error {
	data, err := os.ReadFile(s.place.file("etcd", "objects.json"))
	if err != nil {
		return nil // a new etcd
	}
	return json.Unmarshal(data, s)
}

func (s *store) save() error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.place.file("etcd"), 0o700); err != nil {
		return err
	}
	s.dirty = false
	return writePrivate(s.place.file("etcd", "objects.json"), data)
}

func child(parent object, name string) object {
	found, ok := parent[name].(object)
	if !ok {
		found = object{}
		parent[name] = found
	}
	return found
}

// put keeps an object, new or changed; its generation grows with its spec.
func (s *store) put(collection, namespace string, value object) object {
	meta := child(value, "metadata")
	if namespace != "" {
		meta["namespace"] = namespace
	}
	path := collection + "/" + text(meta, "name")
	before := s.Objects[path]
	if before != nil && same(before, value) {
		return before
	}
	s.Revision++
	s.dirty = true
	meta["resourceVersion"] = strconv.Itoa(s.Revision)
	if before == nil {
		meta["uid"], meta["generation"] = newID(), 1.0
		meta["creationTimestamp"] = time.Now().UTC().Format("2006-01-02T15:04:05Z")
	} else {
		old := child(before, "metadata")
		generation, _ := old["generation"].(float64)
		if !same(before["spec"], value["spec"]) {
			generation++
		}
		meta["uid"], meta["generation"], meta["creationTimestamp"] = old["uid"], generation, old["creationTimestamp"]
	}
	if text(value, "kind") == "Secret" {
		unfold(value)
	}
	s.Objects[path] = value
	return value
}

// unfold writes a Secret's stringData as its data.
func unfold(secret object) {
	data := child(secret, "data")
	clear, _ := secret["stringData"].(object)
	for name, value := range clear {
		data[name] = base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(value)))
	}
	delete(secret, "stringData")
}

func same(a, b any) bool {
	one, _ := json.Marshal(a)
	two, _ := json.Marshal(b)
	return string(one) == string(two)
}

func clone(value object) object {
	data, _ := json.Marshal(value)
	copied := object{}
	_ = json.Unmarshal(data, &copied)
	return copied
}

func (s *store) drop(path string) {
	delete(s.Objects, path)
	delete(s.Last, path)
	s.Revision++
	s.dirty = true
}

// merged is a JSON merge patch; a null takes a field away.
func merged(target, patch object) object {
	for name, value := range patch {
		inner, isMap := value.(object)
		switch {
		case value == nil:
			delete(target, name)
		case isMap:
			target[name] = merged(child(target, name), inner)
		default:
			target[name] = value
		}
	}
	return target
}

// without takes away what the same manager said last and does not say any more.
func without(target, last, now object) {
	for name, value := range last {
		still, there := now[name]
		if !there {
			delete(target, name)
			continue
		}
		inner, ok1 := value.(object)
		innerNow, ok2 := still.(object)
		innerTarget, ok3 := target[name].(object)
		if ok1 && ok2 && ok3 {
			without(innerTarget, inner, innerNow)
		}
	}
}

// asked is a path of the API taken apart. collection is the path of all of that kind there.
type asked struct {
	version, plural, namespace, name, collection string
	status                                       bool
}

func parse(path string) (asked, bool) {
	words := strings.Split(strings.Trim(path, "/"), "/")
	depth := 2
	if words[0] == "apis" {
		depth = 3
	}
	if len(words) < depth || (words[0] != "api" && words[0] != "apis") {
		return asked{}, false
	}
	found := asked{version: "/" + strings.Join(words[:depth], "/")}
	rest := words[depth:]
	if len(rest) >= 3 && rest[0] == "namespaces" {
		found.namespace, rest = rest[1], rest[2:]
	}
	if len(rest) > 0 {
		found.plural = rest[0]
	}
	if len(rest) > 1 {
		found.name = rest[1]
	}
	found.status = len(rest) > 2
	found.collection = found.version
	if found.namespace != "" {
		found.collection += "/namespaces/" + found.namespace
	}
	found.collection += "/" + found.plural
	return found, true
}

func (a asked) path() string {
	return a.collection + "/" + a.name
}

// plurals are the custom kinds that are served of a group's version.
func (s *store) plurals(version string) []string {
	var found []string
	for path, kind := range s.Objects {
		if !strings.HasPrefix(path, crds+"/") {
			continue
		}
		spec := child(kind, "spec")
		versions, _ := spec["versions"].([]any)
		for _, each := range versions {
			about, _ := each.(object)
			if about["served"] == true && "/apis/"+text(spec, "group")+"/"+text(about, "name") == version {
				found = append(found, text(child(spec, "names"), "plural"))
			}
		}
	}
	sort.Strings(found)
	return found
}

func (s *store) serves(a asked) bool {
	if builtin[a.version] {
		return true
	}
	for _, plural := range s.plurals(a.version) {
		if plural == a.plural {
			return true
		}
	}
	return false
}

// list answers every object of the kind, of one namespace or all.
func (s *store) list(a asked, fields, labels string) []object {
	var paths []string
	for path := range s.Objects {
		each, _ := parse(path)
		if each.version == a.version && each.plural == a.plural && (a.namespace == "" || a.namespace == each.namespace) {
			paths = append(paths, path)
		}
	}
	sort.Strings(paths)
	items := []object{}
	for _, path := range paths {
		if fits(s.Objects[path], fields) && fitsLabels(s.Objects[path], labels) {
			items = append(items, s.Objects[path])
		}
	}
	return items
}

func fits(value object, selector string) bool {
	for _, each := range strings.Split(selector, ",") {
		name, wanted, given := strings.Cut(each, "=")
		if !given {
			continue
		}
		words := strings.Split(name, ".")
		place := value
		for _, word := range words[:len(words)-1] {
			place, _ = place[word].(object)
		}
		if place == nil || fmt.Sprint(place[words[len(words)-1]]) != wanted {
			return false
		}
	}
	return true
}

func fitsLabels(value object, selector string) bool {
	meta, _ := value["metadata"].(object)
	labels, _ := meta["labels"].(object)
	for _, each := range strings.Split(selector, ",") {
		name, wanted, given := strings.Cut(each, "=")
		if given && fmt.Sprint(labels[name]) != strings.TrimPrefix(wanted, "=") {
			return false
		}
	}
	return true
}

// api answers requests, one at a time.
type api struct {
	lock  sync.Mutex
	store *store
}

type refusal struct {
	status          int
	reason, message string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return
	}
	a.lock.Lock()
	status, answer := a.answer(r, body)
	if a.store.dirty {
		if err := a.store.save(); err != nil {
			status, answer = failure(refusal{500, "InternalError", err.Error()})
		}
	}
	var data []byte
	if said, plain := answer.(string); plain {
		w.Header().Set("Content-Type", "text/plain")
		data = []byte(said)
	} else {
		w.Header().Set("Content-Type", "application/json")
		data, _ = json.Marshal(answer)
	}
	a.lock.Unlock()
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func failure(r refusal) (int, any) {
	return r.status, object{
		"kind": "Status", "apiVersion": "v1", "metadata": object{}, "status": "Failure", "message": r.message,
		"reason": r.reason, "code": r.status,
	}
}

func (a *api) answer(r *http.Request, body []byte) (int, any) {
	switch r.URL.Path {
	case "/healthz", "/livez", "/readyz":
		return 200, "ok"
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return failure(refusal{401, "Unauthorized", "Unauthorized"})
	}
	if r.URL.Path == "/version" {
		return 200, object{"gitVersion": "v1.36.3", "major": "1", "minor": "36"}
	}
	a.store.reconcile()
	what, ok := parse(r.URL.Path)
	if !ok {
		return 404, "404 page not found\n"
	}
	if what.plural == "" {
		return a.discover(what)
	}
	if !a.store.serves(what) {
		return 404, "404 page not found\n"
	}
	return a.act(r, what, body)
}

func (a *api) discover(what asked) (int, any) {
	plurals := a.store.plurals(what.version)
	if len(plurals) == 0 && !builtin[what.version] {
		return 404, "404 page not found\n"
	}
	found := []object{}
	for _, plural := range plurals {
		found = append(found, object{"name": plural, "namespaced": true, "verbs": []string{"get", "list"}})
	}
	group := strings.TrimPrefix(strings.TrimPrefix(what.version, "/apis/"), "/api/")
	return 200, object{"kind": "APIResourceList", "groupVersion": group, "resources": found}
}

func (a *api) act(r *http.Request, what asked, body []byte) (int, any) {
	missing := refusal{404, "NotFound", fmt.Sprintf("%s %q not found", what.plural, what.name)}
	there := a.store.Objects[what.path()]
	given := object{}
	if r.Method != http.MethodGet && len(body) > 0 {
		if err := json.Unmarshal(body, &given); err != nil {
			return failure(refusal{400, "BadRequest", err.Error()})
		}
	}
	switch {
	case r.Method == http.MethodGet && what.name == "":
		query := r.URL.Query()
		return 200, object{
			"kind": "List", "apiVersion": strings.TrimPrefix(strings.TrimPrefix(what.version, "/apis/"), "/api/"),
			"metadata": object{"resourceVersion": strconv.Itoa(a.store.Revision)},
			"items":    a.store.list(what, query.Get("fieldSelector"), query.Get("labelSelector")),
		}
	case r.Method == http.MethodPost && what.name == "" && r.URL.Query().Get("dryRun") == "All":
		return a.try(what, given)
	case r.Method == http.MethodPost && what.name == "":
		return a.create(what, given)
	case r.Method == http.MethodPatch && strings.HasPrefix(r.Header.Get("Content-Type"), "application/apply-patch"):
		return a.apply(what, given)
	case there == nil:
		return failure(missing)
	case r.Method == http.MethodGet:
		return 200, there
	case r.Method == http.MethodPatch:
		return 200, a.store.put(what.collection, what.namespace, merged(clone(there), given))
	case r.Method == http.MethodPut:
		return a.replace(what, there, given)
	case r.Method == http.MethodDelete:
		a.store.delete(what)
		return 200, object{"kind": "Status", "apiVersion": "v1", "status": "Success"}
	}
	return failure(refusal{405, "MethodNotAllowed", r.Method})
}

func (a *api) replace(what asked, there, given object) (int, any) {
	version := child(given, "metadata")["resourceVersion"]
	if version != nil && version != child(there, "metadata")["resourceVersion"] {
		return failure(refusal{409, "Conflict", "the object has been modified"})
	}
	return 200, a.store.put(what.collection, what.namespace, given)
}

func (a *api) create(what asked, given object) (int, any) {
	what.name = text(child(given, "metadata"), "name")
	if what.name == "" {
		return failure(refusal{422, "Invalid", "name is required"})
	}
	if refused := a.homeless(what); refused != nil {
		return failure(*refused)
	}
	if a.store.Objects[what.path()] != nil {
		return failure(refusal{409, "AlreadyExists", fmt.Sprintf("%s %q already exists", what.plural, what.name)})
	}
	return 201, a.store.put(what.collection, what.namespace, given)
}

// try makes nothing. Of admission there is the one policy that karrots asks for: a fence denies the Jobs of CronJobs.
func (a *api) try(what asked, given object) (int, any) {
	const policy = "karrots-fence-jobs"
	fenced := a.store.Objects["/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/"+policy] != nil
	if fenced && what.plural == "jobs" {
		return failure(refusal{422, "Invalid", fmt.Sprintf("ValidatingAdmissionPolicy '%s' denied request", policy)})
	}
	return 201, given
}

func (a *api) homeless(what asked) *refusal {
	if what.namespace == "" || a.store.Objects["/api/v1/namespaces/"+what.namespace] != nil {
		return nil
	}
	return &refusal{404, "NotFound", fmt.Sprintf("namespaces %q not found", what.namespace)}
}

// apply is a server-side apply; there is one manager, and it always has its way.
func (a *api) apply(what asked, given object) (int, any) {
	if refused := a.homeless(what); refused != nil {
		return failure(*refused)
	}
	there, status := a.store.Objects[what.path()], 200
	if there == nil {
		there, status = object{}, 201
	}
	target := clone(there)
	if last := a.store.Last[what.path()]; last != nil {
		without(target, last, given)
	}
	if !same(a.store.Last[what.path()], given) {
		a.store.Last[what.path()] = clone(given)
		a.store.dirty = true
	}
	return status, a.store.put(what.collection, what.namespace, merged(target, given))
}

// delete takes an object away, a namespace with all that is in it, a Kustomization with all it made.
func (s *store) delete(what asked) {
	if what.plural == "kustomizations" {
		s.prune(s.Objects[what.path()])
	}
	s.drop(what.path())
	if what.collection == "/api/v1/namespaces" {
		for path := range s.Objects {
			if each, _ := parse(path); each.namespace == what.name {
				s.drop(path)
			}
		}
	}
}

// serve is the API server of the cluster whose bin folder `program` is in.
func serve(program string, given map[string]string) int {
	place := cluster(filepath.Dir(filepath.Dir(program)))
	_ = at("serve.start")
	store := newStore(place)
	if err := store.load(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	settings, err := tlsSettings(given)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	listener, err := opened(given)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server := &http.Server{Handler: &api{store: store}, ReadHeaderTimeout: time.Minute, TLSConfig: settings,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	go func() { _ = server.Serve(tls.NewListener(listener, settings)) }()
	untilLonely(string(place))
	return 0
}

func tlsSettings(given map[string]string) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(given["tls-cert-file"], given["tls-private-key-file"])
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(given["client-ca-file"])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven,
		NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
	}, nil
}

// opened is the listener that our starter opened for us (the first of all the cluster's ports), or a new one.
func opened(given map[string]string) (net.Listener, error) {
	count, _ := strconv.Atoi(given["listeners"])
	if count == 0 {
		return net.Listen("tcp", "127.0.0.1:"+given["secure-port"])
	}
	kept := make([]*os.File, count)
	for i := range count {
		kept[i] = os.NewFile(uintptr(3+i), "port")
	}
	listeners = kept
	return net.FileListener(kept[0])
}

// The cluster's other ports stay open for as long as we live.
var listeners []*os.File
