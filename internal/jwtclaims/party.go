package jwtclaims

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// party is whom a set of claims names: the token's own claims, or those of an act in it.
type party struct {
	claims                             map[string]any
	iss, sub, clientID, azp, name, sid string
}

// client is the OAuth client among the claims: client_id in access tokens (RFC 9068), azp in ID tokens.
func (p party) client() string { return cmp.Or(p.clientID, p.azp) }

var errNamesNobody = errors.New("neither sub nor client_id says who it is")

// readParty reads the claims that lie at path, which is "" or ends with a dot.
func readParty(claims map[string]any, path string) (party, error) {
	p := party{claims: claims}
	for _, claim := range [...]struct {
		name  string
		into  *string
		empty bool // may be
	}{
		{"iss", &p.iss, false},
		{"sub", &p.sub, false},
		{"client_id", &p.clientID, false},
		{"azp", &p.azp, false},
		{"name", &p.name, true},
		{"sid", &p.sid, false},
	} {
		value, ok := claims[claim.name]
		if !ok {
			continue
		}
		text, ok := value.(string)
		switch {
		case !ok:
			return party{}, fmt.Errorf("claim %s%s is %T, not a string", path, claim.name, value)
		case text == "" && !claim.empty:
			return party{}, fmt.Errorf("claim %s%s is empty", path, claim.name)
		}
		*claim.into = text
	}
	if p.sub == "" && p.client() == "" {
		if path != "" {
			return party{}, fmt.Errorf("claims under %s: %w", path, errNamesNobody)
		}
		return party{}, errNamesNobody
	}
	return p, nil
}

// readActs reads the act claim in claims and those nested in it: the current actor first.
func readActs(claims map[string]any) ([]party, error) {
	var acts []party
	for path := ""; ; {
		value, ok := claims["act"]
		if !ok {
			return acts, nil
		}
		if len(acts) == otelaudit.MaxChain {
			return nil, fmt.Errorf("more than %d nested act claims", otelaudit.MaxChain)
		}
		if claims, ok = value.(map[string]any); !ok {
			return nil, fmt.Errorf("claim %sact is %T, not an object", path, value)
		}
		path += "act."
		act, err := readParty(claims, path)
		if err != nil {
			return nil, err
		}
		acts = append(acts, act)
	}
}
