package propagation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// secretOf returns a secret, which is obviously an example's, and for each name another one.
func secretOf(name string) []byte {
	return []byte((name + strings.Repeat("-example-secret", 3))[:MinSecretBytes])
}

func hmacKey(tb testing.TB, id string) Key {
	tb.Helper()
	key, err := HMACKey(id, secretOf(id))
	require.NoError(tb, err)
	return key
}

func privateOf(id string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(secretOf(id)) }

func ed25519Key(tb testing.TB, id string) Key {
	tb.Helper()
	key, err := Ed25519Key(id, privateOf(id))
	require.NoError(tb, err)
	return key
}

func publicKey(tb testing.TB, id string, issuers ...string) Key {
	tb.Helper()
	key, err := Ed25519PublicKey(id, privateOf(id).Public().(ed25519.PublicKey), issuers...)
	require.NoError(tb, err)
	return key
}

func keyring(tb testing.TB, keys ...Key) *Keyring {
	tb.Helper()
	k, err := NewKeyring(keys...)
	require.NoError(tb, err)
	return k
}

func TestHMACKey(t *testing.T) {
	t.Parallel()
	secret := secretOf("k")
	key, err := HMACKey("k", secret)
	require.NoError(t, err)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("text"))
	want := mac.Sum(nil)
	clear(secret) // the key has its own

	for range 3 { // also with a state that was used before
		require.Equal(t, append([]byte("before"), want...), key.sign([]byte("before"), []byte("text")))
		require.True(t, key.verify([]byte("text"), want))
		require.False(t, key.verify([]byte("texts"), want))
		require.False(t, key.verify([]byte("text"), want[:31]))
		require.False(t, key.verify([]byte("text"), nil))
	}
}

func TestEd25519Key(t *testing.T) {
	t.Parallel()
	private := privateOf("k")
	want := ed25519.Sign(private, []byte("text"))
	half := private.Public().(ed25519.PublicKey)
	public, err := Ed25519PublicKey("k", half, "partner")
	require.NoError(t, err)
	key, err := Ed25519Key("k", private)
	require.NoError(t, err)
	clear(private) // the keys have their own
	clear(half)

	require.Equal(t, append([]byte("before"), want...), key.sign([]byte("before"), []byte("text")))
	require.Nil(t, public.sign)
	for _, k := range []Key{key, public} {
		require.True(t, k.verify([]byte("text"), want))
		require.False(t, k.verify([]byte("texts"), want))
	}
}

func TestKeysRefuse(t *testing.T) {
	t.Parallel()
	public := privateOf("k").Public().(ed25519.PublicKey)
	halves := slices.Concat(privateOf("k")[:32], privateOf("another")[32:])
	withAudience := func(audience string) func() (Key, error) {
		return func() (Key, error) {
			key := hmacKey(t, "k")
			key.Audiences = []string{"orders", audience}
			return key, key.validate()
		}
	}
	for name, test := range map[string]struct {
		make func() (Key, error)
		want string
	}{
		"no id":                 {func() (Key, error) { return HMACKey("", secretOf("k")) }, "a key id is"},
		"a long id":             {func() (Key, error) { return HMACKey(strings.Repeat("k", 33), secretOf("k")) }, "a key id is"},
		"a dot in an id":        {func() (Key, error) { return Ed25519Key("k.1", privateOf("k")) }, "a key id is"},
		"a space in an id":      {func() (Key, error) { return Ed25519PublicKey("k 1", public, "partner") }, "a key id is"},
		"a short secret":        {func() (Key, error) { return HMACKey("k", secretOf("k")[:31]) }, "key k: the secret has 31 bytes"},
		"a secret of one byte":  {func() (Key, error) { return HMACKey("k", bytes.Repeat([]byte{7}, 64)) }, "key k: the bytes of the secret are all the same"},
		"an empty audience":     {withAudience(""), "key k: an audience is"},
		"a long audience":       {withAudience(strings.Repeat("p", 129)), "key k: an audience is"},
		"no private key":        {func() (Key, error) { return Ed25519Key("k", nil) }, "key k: not an Ed25519 private key"},
		"a seed for a key":      {func() (Key, error) { return Ed25519Key("k", privateOf("k")[:32]) }, "key k: not an Ed25519 private key"},
		"another's public half": {func() (Key, error) { return Ed25519Key("k", halves) }, "key k: not an Ed25519 private key"},
		"a short public key":    {func() (Key, error) { return Ed25519PublicKey("k", public[:31], "partner") }, "key k: an Ed25519 public key has 32 bytes, not 31"},
		"a key for everybody":   {func() (Key, error) { return Ed25519PublicKey("k", public) }, "key k: a public key needs the issuers"},
		"an empty issuer":       {func() (Key, error) { return Ed25519PublicKey("k", public, "") }, "key k: an issuer is"},
		"a long issuer":         {func() (Key, error) { return Ed25519PublicKey("k", public, strings.Repeat("p", 129)) }, "key k: an issuer is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.make()
			require.ErrorContains(t, err, test.want)
		})
	}
}

// Under these anybody makes signatures.
func TestPublicKeysOfSmallOrder(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"order 1":           "0100000000000000000000000000000000000000000000000000000000000000",
		"order 2":           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4, all zero": "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4":           "0000000000000000000000000000000000000000000000000000000000000080",
		"order 8, 1st":      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, 2nd":      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"order 8, 3rd":      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 8, 4th":      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",

		"order 1, x = -0":              "0100000000000000000000000000000000000000000000000000000000000080",
		"order 1, y = p + 1":           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 1, y = p + 1 and x =-0": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"order 2, x = -0":              "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"order 4, y = p":               "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4, y = p and x < 0":     "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			public, err := hex.DecodeString(text)
			require.NoError(t, err)
			_, err = Ed25519PublicKey("k", public, "partner")
			require.EqualError(t, err, "propagation: key k: not a public key: whoever wants could sign for it")
			_, _, err = ParseKeys([]byte(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "` + encoding.EncodeToString(public) + `", "iss": ["partner"]}]}`))
			require.ErrorContains(t, err, "key k: not a public key")
		})
	}
	for range 20 {
		public, _, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		_, err = Ed25519PublicKey("k", public, "partner")
		require.NoError(t, err)
	}
}

func TestKeyTimes(t *testing.T) {
	t.Parallel()
	from, to := time.Unix(1000, 0), time.Unix(2000, 0)
	key := hmacKey(t, "k")
	require.True(t, key.validAt(time.Time{}, 0))
	require.True(t, key.validAt(time.Unix(1<<40, 0), 0))

	key.NotBefore, key.NotAfter = from, to
	for _, test := range []struct {
		now            time.Time
		signs, accepts bool
	}{
		{from.Add(-Skew - 1), false, false},
		{from.Add(-Skew), false, true},
		{from.Add(-1), false, true},
		{from, true, true},
		{to, true, true},
		{to.Add(1), false, true},
		{to.Add(Skew), false, true},
		{to.Add(Skew + 1), false, false},
	} {
		require.Equal(t, test.signs, key.signsAt(test.now, "edge"), test.now)
		require.Equal(t, test.accepts, key.validAt(test.now, Skew), test.now)
	}
}

func TestKeyString(t *testing.T) {
	t.Parallel()
	limited := hmacKey(t, "k1")
	limited.NotBefore, limited.NotAfter = time.Unix(1_800_000_000, 0), time.Unix(1_900_000_000, 0)
	require.Equal(t, "key k1 (HMAC-SHA256) from 2027-01-15T08:00:00Z to 2030-03-17T17:46:40Z", limited.String())
	require.Equal(t, "key k2 (Ed25519)", ed25519Key(t, "k2").String())
	require.Equal(t, "key k3 (Ed25519, public)", publicKey(t, "k3", "partner").String())
	require.Equal(t, "key  (empty)", Key{}.String())

	k := keyring(t, publicKey(t, "k3", "partner"), ed25519Key(t, "k2"))
	k.Revoke("k1", "k0")
	require.Equal(t, "keyring [key k2 (Ed25519), key k3 (Ed25519, public), revoked k0, revoked k1]", k.String())
}

// failing is a test that only writes down why it fails.
type failing struct{ out *bytes.Buffer }

func (f failing) Errorf(format string, args ...any) { fmt.Fprintf(f.out, format, args...) }

// However somebody prints, logs or encodes keys, also hidden in a struct of his own, and whatever goes wrong with them, the
// secret is not in it; nor is any token.
func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	keys := []Key{hmacKey(t, "group"), ed25519Key(t, "own")}
	k := keyring(t, keys...)
	token, err := k.issue(exampleClaims(), now)
	require.NoError(t, err)
	v, rejection := k.open(token, kindRequest, now)
	require.Empty(t, rejection)

	type exported struct {
		Key     Key
		Keys    []Key
		ByID    map[string]*Key
		Keyring *Keyring
	}
	type hidden struct {
		key     Key
		keys    []Key
		byID    map[string]*Key
		keyring *Keyring
		any     any
	}
	shown := []any{
		keys[0], &keys[0], keys[1], &keys[1], keys, k, &k,
		exported{keys[0], keys, map[string]*Key{"own": &keys[1]}, k},
		hidden{keys[1], keys, map[string]*Key{"group": &keys[0]}, k, keys},
		&hidden{keys[0], keys, map[string]*Key{"group": &keys[0]}, k, k},
		v.key, k.current(), &k.verified, &k.issued,
		Config{Service: "edge", Keys: k},
		&RejectedError{Reason: RejectionSignature},
	}
	var out bytes.Buffer
	for _, value := range shown {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw!" {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "100.100", "#+"} {
				fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", value)
			}
		}
		fmt.Fprintln(&out, value)
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("keys", "value", value, slog.Group("group", "value", value))
		}
		text, err := json.Marshal(value)
		fmt.Fprintln(&out, string(text), err)
		text, err = xml.Marshal(value)
		fmt.Fprintln(&out, string(text), err)
		fmt.Fprintln(&out, gob.NewEncoder(&out).Encode(value))
		func() {
			defer func() { fmt.Fprint(&out, recover()) }()
			panic(value)
		}()
	}
	for _, value := range shown {
		// These dump what pointers and unexported fields hold.
		assert.Equal(failing{&out}, exported{}, exported{keys[0], keys, map[string]*Key{"own": &keys[1]}, k})
		assert.Equal(failing{&out}, hidden{}, hidden{keys[1], keys, map[string]*Key{"group": &keys[0]}, k, value})
	}
	_, err = HMACKey("group", secretOf("group")[:31])
	fmt.Fprintln(&out, err)
	_, err = HMACKey(string(secretOf("group"))+"!", secretOf("group"))
	fmt.Fprintln(&out, err)
	_, err = Ed25519Key("own", privateOf("own")[:63])
	fmt.Fprintln(&out, err)
	_, err = NewKeyring(append(keys, keys...)...)
	fmt.Fprintln(&out, err)
	p, err := New(Config{Service: "edge", Keys: k, Now: func() time.Time { return now }})
	require.NoError(t, err)
	_, _, err = p.FromMessage(t.Context(), token, []byte(token))
	fmt.Fprintf(&out, "%v %+v %#v %q", err, err, err, err)
	_, err = p.Message(otelaudit.ContextWithActor(t.Context(), otelaudit.User(token+"\x00")), "orders", []byte(token))
	fmt.Fprintf(&out, "%v %+v %#v %q", err, err, err, err)

	for name, secret := range map[string][]byte{
		"HMAC": secretOf("group"), "Ed25519 seed": privateOf("own").Seed(), "Ed25519 public half": privateOf("own")[32:], "token": []byte(token),
	} {
		for encoding, text := range map[string]string{
			"bytes": string(secret), "a part of it": string(secret[4:20]),
			"hex": hex.EncodeToString(secret), "HEX": strings.ToUpper(hex.EncodeToString(secret)),
			"base64": base64.RawStdEncoding.EncodeToString(secret), "base64url": base64.RawURLEncoding.EncodeToString(secret),
			"decimal": strings.Trim(fmt.Sprintf("%d", secret), "[]"), "Go": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte{"), "}"),
		} {
			if strings.Contains(out.String(), text) {
				t.Errorf("the %s shows as %s", name, encoding) // without it
			}
		}
	}
	require.Contains(t, out.String(), "key group (HMAC-SHA256)")
	require.Contains(t, out.String(), "NotBefore: (time.Time)", "the dump is one that looks into everything")
}
