package propagation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// MinSecretBytes is the least that an HMAC key has: as much as its SHA-256.
	MinSecretBytes = 32

	maxKeyIDBytes = 32
)

// Key is one key of a [Keyring]: [HMACKey], [Ed25519Key], [Ed25519PublicKey] and [ParseKeys] make it. ID alone says with
// which algorithm its tokens are signed. It never shows its secret, however it is printed or encoded.
type Key struct {
	// ID names the key in tokens: 1 to 32 of A–Z, a–z, 0–9, - and _.
	ID string
	// NotBefore is when the key becomes valid. Zero: it always was.
	NotBefore time.Time
	// NotAfter is when it ends. Zero: never.
	NotAfter time.Time
	// Issuers are the services for which it may speak. Empty: all. A public key needs some, because it comes from another
	// trust group, which must not speak for the services of one's own.
	Issuers []string
	// Audiences are the services for which it signs. Empty: all. It does not limit what it verifies.
	Audiences []string

	// The material is in functions only: no printing, comparing or encoding of fields, be it by reflection, gets at it.

	size   int                                         // of a signature
	sign   func(dst, text []byte) []byte               // appends the signature to dst; nil for a public key
	verify func(text, signature []byte) (isValid bool) // in constant time
	digest func() digest                               // of the algorithm and the material
}

// HMACKey returns a key for HMAC-SHA256, of at least 32 random bytes, which all services of a trust group share. Whoever can
// verify its tokens can make them. The secret is copied.
func HMACKey(id string, secret []byte) (Key, error) {
	if err := checkKeyID(id); err != nil {
		return Key{}, err
	}
	if len(secret) < MinSecretBytes {
		return Key{}, fmt.Errorf("propagation: key %s: the secret has %d bytes: make one of at least %d random bytes", id, len(secret), MinSecretBytes)
	}
	if bytes.Count(secret, secret[:1]) == len(secret) {
		return Key{}, fmt.Errorf("propagation: key %s: the bytes of the secret are all the same: make one of random bytes", id)
	}
	secret = bytes.Clone(secret)
	// A used state comes back with the padded secret hashed already.
	states := sync.Pool{New: func() any { return &hmacState{Hash: hmac.New(sha256.New, secret)} }}
	return Key{
		ID:   id,
		size: sha256.Size,
		sign: func(dst, text []byte) []byte {
			state := states.Get().(*hmacState)
			defer states.Put(state)
			return append(dst, state.sum(text)...)
		},
		verify: func(text, signature []byte) bool {
			state := states.Get().(*hmacState)
			defer states.Put(state)
			return hmac.Equal(state.sum(text), signature)
		},
		digest: func() digest { return materialDigest("HMAC-SHA256", secret) },
	}, nil
}

type hmacState struct {
	hash.Hash
	buf [sha256.Size]byte
}

// sum returns the HMAC of text, until the next call.
func (s *hmacState) sum(text []byte) []byte {
	s.Reset()
	s.Write(text)
	return s.Sum(s.buf[:0])
}

// Ed25519Key returns a key that signs with Ed25519. Services of other trust groups verify its tokens with its public key
// ([Ed25519PublicKey]) and cannot make any.
func Ed25519Key(id string, private ed25519.PrivateKey) (Key, error) {
	if err := checkKeyID(id); err != nil {
		return Key{}, err
	}
	// With a public half that is not its own a key would give itself away in its signatures.
	if len(private) != ed25519.PrivateKeySize || !ed25519.NewKeyFromSeed(private.Seed()).Equal(private) {
		return Key{}, fmt.Errorf("propagation: key %s: not an Ed25519 private key: use ed25519.NewKeyFromSeed or ed25519.GenerateKey", id)
	}
	private = bytes.Clone(private)
	key := ed25519Verifier(id, private.Public().(ed25519.PublicKey))
	key.sign = func(dst, text []byte) []byte { return append(dst, ed25519.Sign(private, text)...) }
	key.digest = func() digest { return materialDigest("Ed25519", private) }
	return key, nil
}

// Ed25519PublicKey returns a key that verifies tokens of another trust group, which may speak for these issuers and for
// nobody else. It cannot sign.
func Ed25519PublicKey(id string, public ed25519.PublicKey, issuers ...string) (Key, error) {
	if err := checkKeyID(id); err != nil {
		return Key{}, err
	}
	if len(public) != ed25519.PublicKeySize {
		return Key{}, fmt.Errorf("propagation: key %s: an Ed25519 public key has %d bytes, not %d", id, ed25519.PublicKeySize, len(public))
	}
	if hasSmallOrder(public) {
		return Key{}, fmt.Errorf("propagation: key %s: not a public key: whoever wants could sign for it", id)
	}
	key := ed25519Verifier(id, bytes.Clone(public))
	key.Issuers = slices.Clone(issuers)
	return key, key.validate()
}

func ed25519Verifier(id string, public ed25519.PublicKey) Key {
	return Key{
		ID:     id,
		size:   ed25519.SignatureSize,
		verify: func(text, signature []byte) bool { return ed25519.Verify(public, text, signature) },
		digest: func() digest { return materialDigest("Ed25519 public", public) },
	}
}

// hasSmallOrder reports whether public is one of the eight points of order 1, 2, 4 or 8, in any encoding, under which anybody
// makes signatures.
//
// A signature of a text is R and S with R = S·B - h·A, where A is the public key and h a hash of R, A and the text. For R = 0,
// the neutral element, and S = 0 that is h·A = 0. Where A has small order this holds for each eighth text at least, so that
// 256 texts miss it with probability (7/8)^256, below 10^-14; where it has not, for none that anybody will ever find.
func hasSmallOrder(public ed25519.PublicKey) bool {
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1 // the encoding of the neutral element: x = 0 and y = 1
	for i := range 256 {
		if ed25519.Verify(public, []byte{byte(i)}, signature) {
			return true
		}
	}
	return false
}

func materialDigest(algorithm string, material []byte) digest {
	return sha256.Sum256(append([]byte(algorithm+":"), material...))
}

// validate names what is wrong with k.
func (k *Key) validate() error {
	if err := checkKeyID(k.ID); err != nil {
		return err
	}
	if k.verify == nil {
		return fmt.Errorf("propagation: key %s is empty: make it with HMACKey, Ed25519Key, Ed25519PublicKey or ParseKeys", k.ID)
	}
	if !k.NotAfter.IsZero() && !k.NotAfter.After(k.NotBefore) {
		return fmt.Errorf("propagation: key %s: NotAfter is not after NotBefore", k.ID)
	}
	if k.sign == nil && len(k.Issuers) == 0 {
		return fmt.Errorf("propagation: key %s: a public key needs the issuers for whom it may speak", k.ID)
	}
	if !areServices(k.Issuers) {
		return fmt.Errorf("propagation: key %s: an issuer is 1 to %d bytes of UTF-8 without control characters", k.ID, maxServiceBytes)
	}
	if !areServices(k.Audiences) {
		return fmt.Errorf("propagation: key %s: an audience is 1 to %d bytes of UTF-8 without control characters", k.ID, maxServiceBytes)
	}
	return nil
}

func areServices(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return name == "" || check(name, maxServiceBytes) != nil })
}

// equal reports whether k and other are the same key, with the same limits.
func (k *Key) equal(other *Key) bool {
	return k.ID == other.ID && k.NotBefore.Equal(other.NotBefore) && k.NotAfter.Equal(other.NotAfter) &&
		slices.Equal(k.Issuers, other.Issuers) && slices.Equal(k.Audiences, other.Audiences) && k.digest() == other.digest()
}

func checkKeyID(id string) error {
	if !isKeyID(id) {
		// The id stays out of the error: it could be a secret in the wrong place.
		return errors.New("propagation: a key id is 1 to 32 of A-Z, a-z, 0-9, - and _")
	}
	return nil
}

func isKeyID(id string) bool {
	if id == "" || len(id) > maxKeyIDBytes {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// signsAt reports whether k makes tokens of issuer at that time.
func (k *Key) signsAt(now time.Time, issuer string) bool {
	return k.sign != nil && k.speaksFor(issuer) && k.validAt(now, 0)
}

// validAt reports whether now is within k's time, or at most skew outside of it.
func (k *Key) validAt(now time.Time, skew time.Duration) bool {
	return !now.Add(skew).Before(k.NotBefore) && (k.NotAfter.IsZero() || !now.Add(-skew).After(k.NotAfter))
}

func (k *Key) speaksFor(issuer string) bool {
	return len(k.Issuers) == 0 || slices.Contains(k.Issuers, issuer)
}

// String returns the key's id, what it can do, and its time: nothing secret.
func (k Key) String() string {
	var b strings.Builder
	b.WriteString("key " + k.ID)
	switch {
	case k.verify == nil:
		b.WriteString(" (empty)")
	case k.size == sha256.Size:
		b.WriteString(" (HMAC-SHA256)")
	case k.sign == nil:
		b.WriteString(" (Ed25519, public)")
	default:
		b.WriteString(" (Ed25519)")
	}
	if !k.NotBefore.IsZero() {
		b.WriteString(" from " + k.NotBefore.UTC().Format(time.RFC3339))
	}
	if !k.NotAfter.IsZero() {
		b.WriteString(" to " + k.NotAfter.UTC().Format(time.RFC3339))
	}
	return b.String()
}

// GoString implements [fmt.GoStringer] with [Key.String].
func (k Key) GoString() string { return k.String() }

// Format implements [fmt.Formatter] with [Key.String], whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText implements [encoding.TextMarshaler] with [Key.String], and so is its JSON.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements [slog.LogValuer] with [Key.String].
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
