package propagation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// SPIFFE returns the source for JWT-SVIDs of workloads in trustDomains ("example.org"), at least one. The actor is a
// verified service whose id is the SPIFFE ID in sub; its AuthMethod is "jwt_svid".
//
// A token is refused that lacks aud or exp, which every JWT-SVID has: that the library which verified it saw none of them
// means that it was not told to look. Refused, too, are a sub that is no SPIFFE ID of a workload by the letter of the
// SPIFFE-ID specification, or of another trust domain, and a token with act: a JWT-SVID speaks for its workload alone,
// and to read sub without act would name the wrong actor. [JWT] is for such tokens.
func SPIFFE(trustDomains ...string) (Source, error) {
	if len(trustDomains) == 0 {
		return nil, errors.New("propagation: SPIFFE without a trust domain would refuse everybody: name at least one")
	}
	for _, domain := range trustDomains {
		if !isTrustDomain(domain) {
			return nil, fmt.Errorf("propagation: SPIFFE: %.80q is no trust domain: give its name alone, in lower case, like \"example.org\"", domain)
		}
	}
	domains := slices.Clone(trustDomains)
	return SourceFunc(func(claims map[string]any) (Identity, error) {
		id, err := svid(claims, domains)
		if err != nil {
			return Identity{}, err
		}
		return Identity{Actor: otelaudit.Actor{
			Type: otelaudit.ActorService, ID: id, AuthMethod: "jwt_svid", Trust: otelaudit.TrustVerified,
		}}, nil
	}), nil
}

var errNoWorkload = errors.New("claim sub is no SPIFFE ID of a workload")

// svid returns the SPIFFE ID in claims, if it is one of domains.
func svid(claims map[string]any, domains []string) (string, error) {
	switch {
	case !hasAudience(claims["aud"]):
		return "", errors.New("claim aud names no audience, and a JWT-SVID must")
	case claims["exp"] == nil:
		return "", errors.New("claim exp is missing, and a JWT-SVID must have it")
	case claims["act"] != nil:
		return "", errors.New("claim act is no part of a JWT-SVID")
	}
	id, err := requiredText(claims, "sub")
	if err != nil {
		return "", err
	}
	domain, ok := trustDomainOf(id)
	switch {
	case !ok:
		return "", errNoWorkload
	case !slices.Contains(domains, domain):
		return "", errors.New("claim sub is of a trust domain that is not trusted")
	}
	return id, nil
}

// hasAudience reports whether aud is one name, or some, as RFC 7519 section 4.1.3 writes it.
func hasAudience(aud any) bool {
	isName := func(v any) bool { s, ok := v.(string); return ok && s != "" }
	switch aud := aud.(type) {
	case string:
		return aud != ""
	case []string:
		return len(aud) > 0 && !slices.Contains(aud, "")
	case []any:
		return len(aud) > 0 && !slices.ContainsFunc(aud, func(v any) bool { return !isName(v) })
	}
	return false
}

// The longest texts by the SPIFFE-ID specification, section 2.3.
const (
	maxSPIFFEID    = 2048
	maxTrustDomain = 255
)

// trustDomainOf returns the trust domain of a workload's SPIFFE ID. There is one way only to write an ID (no escapes, no
// upper-case domain, no dots to be resolved), so that equal texts are equal workloads.
func trustDomainOf(id string) (domain string, ok bool) {
	rest, ok := strings.CutPrefix(id, "spiffe://")
	if !ok || len(id) > maxSPIFFEID {
		return "", false
	}
	domain, path, ok := strings.Cut(rest, "/")
	if !ok || !isTrustDomain(domain) { // without a path it is the trust domain's own ID
		return "", false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notInPath) {
			return "", false
		}
	}
	return domain, true
}

func isTrustDomain(s string) bool {
	return s != "" && len(s) <= maxTrustDomain && !strings.ContainsFunc(s, notInDomain)
}

func notInPath(r rune) bool { return notInDomain(r) && (r < 'A' || r > 'Z') }
func notInDomain(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
}
