// Package digest picks the algorithm that artifacts are digested with.
package digest

import (
	// The algorithms go-digest knows become available when they are linked in.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"

	"github.com/opencontainers/go-digest"
)

// Canonical is the algorithm of new artifacts; set once, before the first artifact is made.
var Canonical = digest.SHA256

// AlgorithmForName returns the algorithm, or an error when it cannot be computed by this program.
func AlgorithmForName(name string) (digest.Algorithm, error) {
	algorithm := digest.Algorithm(name)
	if !algorithm.Available() {
		return "", fmt.Errorf("digest algorithm %q is not available: use sha256, sha384 or sha512", name)
	}
	return algorithm, nil
}
