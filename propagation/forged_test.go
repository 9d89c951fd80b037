package propagation_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// The world of the forgeries: a clock that stands still, and keys that everybody may know.
var forgeryTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	forgeryTrace       = "0af7651916cd43dd8448eb211c80319c"
	forgeryTraceparent = "00-" + forgeryTrace + "-b7ad6b7169203331-01"
	otherTraceparent   = "00-1bf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// secretOf is the HMAC secret of the key with this id.
func secretOf(kid string) []byte {
	sum := sha256.Sum256([]byte("secret of " + kid))
	return sum[:]
}

// privateKeyOf is the Ed25519 key with this id.
func privateKeyOf(kid string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(secretOf(kid)) }

func publicKeyOf(tb testing.TB, kid string) ed25519.PublicKey {
	tb.Helper()
	public, ok := privateKeyOf(kid).Public().(ed25519.PublicKey)
	require.True(tb, ok)
	return public
}

// forgeryKeys are those of the service that is attacked: group signs within its trust group, partner speaks for the service
// partner, edge for the service edge only, old, new and revoked are what they are called.
func forgeryKeys(tb testing.TB) *propagation.Keyring {
	tb.Helper()
	var keys []propagation.Key
	for _, kid := range []string{"group", "edge", "old", "new", "revoked"} {
		key, err := propagation.HMACKey(kid, secretOf(kid))
		require.NoError(tb, err)
		switch kid {
		case "edge":
			key.Issuers = []string{"edge"}
		case "old":
			key.NotAfter = forgeryTime.Add(-time.Hour)
		case "new":
			key.NotBefore = forgeryTime.Add(time.Hour)
		}
		keys = append(keys, key)
	}
	partner, err := propagation.Ed25519PublicKey("partner", publicKeyOf(tb, "partner"), "partner")
	require.NoError(tb, err)
	ring, err := propagation.NewKeyring(append(keys, partner)...)
	require.NoError(tb, err)
	ring.Revoke("revoked")
	return ring
}

// forged is a token in the making. It writes the format on its own, so that it can also write what nobody else would.
type forged struct {
	kind, kid                                   string
	issued, lifetime                            uint64
	trace                                       string // in hexadecimal
	message                                     []byte // of a message: span id and hash
	issuer, audience, tenant, operation, reason string
	parties                                     []forgedParty
}

type forgedParty struct {
	kind             byte
	id, name, method string
}

// genuine is a token that holds: edge tells orders that alice acts.
func genuine() forged {
	return forged{
		kind: "r1", kid: "group",
		issued: uint64(forgeryTime.Unix()), lifetime: 60,
		trace:  forgeryTrace,
		issuer: "edge", audience: "orders", tenant: "acme", operation: "op-1", reason: "ticket 7",
		parties: []forgedParty{{1, "alice", "", "oidc"}},
	}
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (f forged) payload() []byte {
	b := binary.AppendUvarint(nil, f.issued)
	b = binary.AppendUvarint(b, f.lifetime)
	b = append(b, "a fixed nonc"...)
	trace, _ := hex.DecodeString(f.trace)
	b = append(b, trace...)
	b = append(b, f.message...)
	for _, s := range []string{f.issuer, f.audience, f.tenant, f.operation, f.reason} {
		b = appendText(b, s)
	}
	b = append(b, byte(len(f.parties)))
	for _, p := range f.parties {
		b = append(b, p.kind)
		for _, s := range []string{p.id, p.name, p.method} {
			b = appendText(b, s)
		}
	}
	return b
}

// signed returns the token as its key id says that it is signed.
func (f forged) signed() string {
	if f.kid == "partner" {
		return f.signedBy(ed25519Of("partner"))
	}
	return f.signedBy(hmacOf(secretOf(f.kid)))
}

func (f forged) signedBy(sign func(text string) []byte) string {
	return sealed(f.kind, f.kid, f.payload(), sign)
}

func sealed(kind, kid string, payload []byte, sign func(text string) []byte) string {
	text := kind + "." + kid + "." + base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign(text))
}

const signedPrefix = "otelaudit-actor-token:"

func hmacOf(secret []byte) func(string) []byte {
	return func(text string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signedPrefix + text))
		return mac.Sum(nil)
	}
}

func ed25519Of(kid string) func(string) []byte {
	return func(text string) []byte { return ed25519.Sign(privateKeyOf(kid), []byte(signedPrefix+text)) }
}
