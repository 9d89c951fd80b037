package canary

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// outlet is where something comes out.
type outlet string

// secrets are what is planted: one for each place, named for it.
type secrets struct {
	t *testing.T

	mu      sync.Mutex // guards what follows
	places  map[string]*secret
	planted map[string]bool
}

type secret struct {
	value string
	may   []outlet // where it may come out, and so must: a search that does not find these finds nothing
}

func newSecrets(t *testing.T) *secrets {
	t.Helper()
	return &secrets{t: t, places: map[string]*secret{}, planted: map[string]bool{}}
}

// nowhere is what may come out nowhere.
func (s *secrets) nowhere(places ...string) {
	for _, place := range places {
		s.only(place)
	}
}

// only is what may come out through these outlets.
func (s *secrets) only(place string, may ...outlet) {
	// Lower-case letters and digits go through headers, URLs, JSON and SQL as they are.
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotContains(s.t, s.places, place)
	s.places[place] = &secret{value: strings.ToLower(rand.Text()), may: may}
}

// known is a value that is not made up here, and is planted by whoever made it.
func (s *secrets) known(place, value string, may ...outlet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotContains(s.t, s.places, place)
	s.places[place] = &secret{value: value, may: may}
	s.planted[place] = true
}

// of returns the secret for a place, which is planted thereby.
func (s *secrets) of(place string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret, ok := s.places[place]
	if !ok {
		s.t.Errorf("nothing is known of %q", place)
		return ""
	}
	s.planted[place] = true
	return secret.value
}

// check looks for every secret in what came out.
func (s *secrets) check(out map[outlet]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for place := range s.places {
		require.True(s.t, s.planted[place], "%s was never planted", place)
	}
	seen := map[outlet]bool{}
	for name, text := range out {
		for place, secret := range s.places {
			found, allowed := contains(text, secret.value), slices.Contains(secret.may, name)
			seen[name] = seen[name] || found
			switch {
			case found && !allowed:
				s.t.Errorf("%s: the secret in %q came out: %s", name, place, around(text, secret.value))
			case allowed && !found:
				s.t.Errorf("%s: the secret in %q should have come out, and was not found", name, place)
			}
		}
		if !seen[name] {
			s.t.Errorf("%s: nothing was found, so nothing shows that it was looked at", name)
		}
	}
}

// around is what stands beside a secret that was found.
func around(text, secret string) string {
	for _, form := range forms(secret) {
		if i := strings.Index(text, form); i >= 0 {
			return "…" + text[max(0, i-200):min(len(text), i+len(form)+40)] + "…"
		}
	}
	return "in another case of letters"
}
