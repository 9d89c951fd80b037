package propagation

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// KeyLoader fetches the keys and the ids of those that are revoked: [KeysFromFile], [KeysFromEnv], or a function that asks a
// secret store. It must return when ctx ends, or a [Keyring.Watch] waits for it for ever. Its errors must not hold secrets.
type KeyLoader func(ctx context.Context) (keys []Key, revoked []string, err error)

// KeysFromFile returns the loader that reads the file at path with [ParseKeys].
func KeysFromFile(path string) KeyLoader {
	return func(context.Context) ([]Key, []string, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, fmt.Errorf("propagation: read the keys: %w", err)
		}
		return ParseKeys(text)
	}
}

// KeysFromEnv returns the loader that reads the environment variable of this name with [ParseKeys].
func KeysFromEnv(name string) KeyLoader {
	return func(context.Context) ([]Key, []string, error) {
		text := os.Getenv(name)
		if text == "" {
			return nil, nil, fmt.Errorf("propagation: read the keys: the environment variable %s is not set", name)
		}
		return ParseKeys([]byte(text))
	}
}

// ParseKeys reads a JWK Set (RFC 7517): keys of type oct for HMAC-SHA256, and of type OKP for Ed25519 (RFC 8037), which are
// private where they have a d. A key's nbf and exp, in Unix seconds, limit its time, and its iss, a list, the issuers for whom
// it may speak, its aud, another, the services for which it signs; revoked, beside keys, is a list of ids.
// docs/actor-token.md has an example.
//
// It takes nothing that it does not know: a misspelled member could be the one that limits a key. Errors name the key by its
// place or its id, and never what is in it. What is revoked is returned with any error, but for that of text that is no JSON
// object at all.
func ParseKeys(jwks []byte) (keys []Key, revoked []string, err error) {
	revoked = revokedIn(jwks)
	keys, err = parseKeys(jwks)
	return keys, revoked, err
}

// revokedIn returns the key ids of revoked, whatever else is there or in it: nothing that is wrong may hold up the kill switch.
func revokedIn(jwks []byte) (ids []string) {
	_ = eachMember(jwks, func(name string, value json.RawMessage) error {
		if name != "revoked" {
			return nil
		}
		var list []any
		if json.Unmarshal(value, &list) != nil {
			list = make([]any, 1)
			_ = json.Unmarshal(value, &list[0]) // one id that is in no list
		}
		for _, item := range list {
			if id, ok := item.(string); ok && isKeyID(id) {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids
}

func parseKeys(jwks []byte) (keys []Key, err error) {
	if err := checkMembers(jwks, "keys", "revoked"); err != nil {
		return nil, fmt.Errorf("propagation: the JWK Set %w", err)
	}
	var set struct {
		Keys    []json.RawMessage `json:"keys"`
		Revoked []string          `json:"revoked"`
	}
	switch err := json.Unmarshal(jwks, &set); {
	case err != nil:
		return nil, fmt.Errorf("propagation: the JWK Set %w", errOfType(err))
	case slices.ContainsFunc(set.Revoked, func(id string) bool { return !isKeyID(id) }):
		return nil, errors.New("propagation: the JWK Set revokes what is not a key id")
	case len(set.Keys) == 0:
		return nil, errors.New("propagation: the JWK Set has no keys")
	}
	seen := make(map[string]bool, len(set.Keys))
	for i, text := range set.Keys {
		key, err := parseKey(text)
		if err != nil {
			return nil, fmt.Errorf("propagation: the JWK Set's key number %d %w", i+1, err)
		}
		if seen[key.ID] {
			return nil, fmt.Errorf("propagation: the JWK Set has two keys with the id %s", key.ID)
		}
		seen[key.ID] = true
		keys = append(keys, key)
	}
	return keys, nil
}

// jwk is a JSON Web Key.
type jwk struct {
	Type      string   `json:"kty"`
	ID        string   `json:"kid"`
	Algorithm string   `json:"alg"`
	Use       string   `json:"use"`
	Curve     string   `json:"crv"`
	Secret    *string  `json:"k"` // of oct
	Private   *string  `json:"d"` // of OKP
	Public    *string  `json:"x"` // of OKP
	NotBefore *int64   `json:"nbf"`
	NotAfter  *int64   `json:"exp"`
	Issuers   []string `json:"iss"`
	Audiences []string `json:"aud"`
}

func parseKey(text []byte) (Key, error) {
	if err := checkMembers(text, "kty", "kid", "alg", "use", "crv", "k", "d", "x", "nbf", "exp", "iss", "aud"); err != nil {
		return Key{}, err
	}
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		return Key{}, errOfType(err)
	}
	if !isKeyID(j.ID) {
		return Key{}, errors.New("has no kid of 1 to 32 of A-Z, a-z, 0-9, - and _")
	}
	key, err := j.key()
	if err == nil {
		err = key.validate()
	}
	if err != nil {
		return Key{}, fmt.Errorf("(%s): %w", j.ID, err)
	}
	return key, nil
}

func (j *jwk) key() (Key, error) {
	if j.Use != "" && j.Use != "sig" {
		return Key{}, errors.New("use is not sig")
	}
	// To whoever wrote it an empty list means nobody, and to a Key everybody.
	if j.Issuers != nil && len(j.Issuers) == 0 {
		return Key{}, errors.New("iss is an empty list")
	}
	if j.Audiences != nil && len(j.Audiences) == 0 {
		return Key{}, errors.New("aud is an empty list")
	}
	key, err := j.material()
	if err != nil {
		return Key{}, err
	}
	key.Issuers, key.Audiences = j.Issuers, j.Audiences
	if key.NotBefore, err = unixTime("nbf", j.NotBefore); err != nil {
		return Key{}, err
	}
	key.NotAfter, err = unixTime("exp", j.NotAfter)
	return key, err
}

// material returns the key without its limits.
func (j *jwk) material() (Key, error) {
	switch j.Type {
	case "oct":
		if j.Algorithm != "" && j.Algorithm != "HS256" {
			return Key{}, errors.New("alg of an oct key is not HS256")
		}
		if j.Curve != "" || j.Private != nil || j.Public != nil {
			return Key{}, errors.New("an oct key has a k, and no crv, d or x")
		}
		secret, err := material("k", j.Secret)
		if err != nil {
			return Key{}, err
		}
		return HMACKey(j.ID, secret)
	case "OKP":
		if j.Algorithm != "" && j.Algorithm != "EdDSA" && j.Algorithm != "Ed25519" {
			return Key{}, errors.New("alg of an OKP key is neither EdDSA nor Ed25519")
		}
		if j.Curve != "Ed25519" || j.Secret != nil {
			return Key{}, errors.New("an OKP key has the crv Ed25519, and no k")
		}
		public, err := material("x", j.Public)
		if err != nil {
			return Key{}, err
		}
		if j.Private == nil {
			return Ed25519PublicKey(j.ID, public, j.Issuers...)
		}
		seed, err := material("d", j.Private)
		if err != nil {
			return Key{}, err
		}
		if len(seed) != ed25519.SeedSize {
			return Key{}, fmt.Errorf("d has %d bytes, not %d", len(seed), ed25519.SeedSize)
		}
		private := ed25519.NewKeyFromSeed(seed)
		if !bytes.Equal(private.Public().(ed25519.PublicKey), public) {
			return Key{}, errors.New("x is not the public key of d")
		}
		return Ed25519Key(j.ID, private)
	default:
		return Key{}, errors.New("kty is neither oct nor OKP")
	}
}

// material decodes a member of a key. There is nothing to say of one that is wrong that would not tell something of it.
func material(name string, text *string) ([]byte, error) {
	if text == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	decoded, ok := decode(make([]byte, len(*text)), []byte(*text))
	if !ok {
		return nil, fmt.Errorf("%s is not base64url without padding", name)
	}
	return decoded, nil
}

func unixTime(name string, seconds *int64) (time.Time, error) {
	switch {
	case seconds == nil:
		return time.Time{}, nil
	case *seconds < 0 || *seconds > maxUvarint:
		return time.Time{}, fmt.Errorf("%s is not a time in Unix seconds", name)
	}
	return time.Unix(*seconds, 0).UTC(), nil
}

// checkMembers says whether text is a JSON object of these members, none of them twice or null. encoding/json would ignore
// others, and case.
func checkMembers(text []byte, known ...string) error {
	seen := make(map[string]bool, len(known))
	return eachMember(text, func(name string, value json.RawMessage) error {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("has a member that is none of %s", strings.Join(known, ", "))
		case seen[name]:
			return fmt.Errorf("has the member %s twice", name)
		case string(value) == "null":
			return fmt.Errorf("has a member %s that is null", name)
		}
		seen[name] = true
		return nil
	})
}

// eachMember calls do with each member of a JSON object, until one gives an error.
func eachMember(text []byte, do func(name string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if !json.Valid(text) {
		return errors.New("is not JSON")
	}
	if start, _ := d.Token(); start != json.Delim('{') {
		return errors.New("is not a JSON object")
	}
	for d.More() {
		var value json.RawMessage
		token, err := d.Token()
		name, _ := token.(string)
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return errors.New("is not JSON")
		}
		if err := do(name, value); err != nil {
			return err
		}
	}
	return nil
}

// errOfType says which member is of the wrong type. The error of encoding/json would quote it.
func errOfType(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("has a member %s of the wrong type", wrong.Field)
	}
	return errors.New("is not JSON")
}
