package digest

import (
	"strings"
	"testing"
)

func TestKnownAlgorithmsCompute(t *testing.T) {
	for name, length := range map[string]int{"sha256": 64, "sha384": 96, "sha512": 128} {
		algorithm, err := AlgorithmForName(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := algorithm.FromString("x"); got.Validate() != nil || len(got.Encoded()) != length {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestOthersAreRefusedByName(t *testing.T) {
	for _, name := range []string{"", "md5", "SHA256", "sha256:"} {
		_, err := AlgorithmForName(name)
		if err == nil || !strings.Contains(err.Error(), "sha256") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
