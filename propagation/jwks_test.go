package propagation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Of the keys in these tests: the secret, the seed and its public key.
var (
	exampleK = encoding.EncodeToString(secretOf("k1"))
	exampleD = encoding.EncodeToString(privateOf("k2").Seed())
	exampleX = encoding.EncodeToString(privateOf("k2")[32:])
)

func exampleJWKS() string {
	return `{
	"keys": [
		{"kty": "oct", "kid": "k1", "k": "` + exampleK + `", "alg": "HS256", "use": "sig", "nbf": 1800000000, "exp": 1810000000},
		{"kty": "OKP", "crv": "Ed25519", "kid": "k2", "d": "` + exampleD + `", "x": "` + exampleX + `", "alg": "EdDSA"},
		{"kty": "OKP", "crv": "Ed25519", "kid": "k3", "x": "` + exampleX + `", "alg": "Ed25519", "iss": ["partner", "partner-2"]}
	],
	"revoked": ["k0"]
}`
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	keys, revoked, err := ParseKeys([]byte(exampleJWKS()))
	require.NoError(t, err)
	require.Equal(t, []string{"k0"}, revoked)
	require.Len(t, keys, 3)

	require.Equal(t, "key k1 (HMAC-SHA256) from 2027-01-15T08:00:00Z to 2027-05-11T01:46:40Z", keys[0].String())
	require.Equal(t, hmacKey(t, "k1").sign(nil, []byte("text")), keys[0].sign(nil, []byte("text")))
	require.Empty(t, keys[0].Issuers)
	require.Equal(t, "key k2 (Ed25519)", keys[1].String())
	require.Equal(t, ed25519Key(t, "k2").sign(nil, []byte("text")), keys[1].sign(nil, []byte("text")))
	require.Empty(t, keys[1].Issuers)
	require.Equal(t, "key k3 (Ed25519, public)", keys[2].String())
	require.True(t, keys[2].verify([]byte("text"), keys[1].sign(nil, []byte("text"))))
	require.Equal(t, []string{"partner", "partner-2"}, keys[2].Issuers)

	keys, revoked, err = ParseKeys([]byte(`{"keys":[{"kty":"oct","kid":"k1","k":"` + exampleK + `","iss":["edge"],"aud":["orders","shop"],"nbf":0}]}`))
	require.NoError(t, err)
	require.Empty(t, revoked)
	require.Equal(t, []string{"edge"}, keys[0].Issuers)
	require.Equal(t, []string{"orders", "shop"}, keys[0].Audiences)
	require.Equal(t, time.Unix(0, 0).UTC(), keys[0].NotBefore)
	require.True(t, keys[0].NotAfter.IsZero())
}

func TestParseKeysRefuses(t *testing.T) {
	t.Parallel()
	key := func(members string) string { return `{"keys": [{` + members + `}], "revoked": ["k0"]}` }
	hmac := func(members string) string {
		return key(`"kty": "oct", "kid": "k1", "k": "` + exampleK + `"` + members)
	}
	private := func(d, x string) string {
		return key(`"kty": "OKP", "crv": "Ed25519", "kid": "k2", "d": "` + d + `", "x": "` + x + `"`)
	}
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                   {"", "is not JSON"},
		"half of it":                {exampleJWKS()[:200], "is not JSON"},
		"something behind":          {exampleJWKS() + "{}", "is not JSON"},
		"a list":                    {"[]", "is not a JSON object"},
		"no keys":                   {"{}", "has no keys"},
		"an empty list":             {`{"keys": []}`, "has no keys"},
		"null":                      {`{"keys": null}`, "has a member keys that is null"},
		"keys twice":                {`{"keys": [], "keys": []}`, "has the member keys twice"},
		"keys twice, escaped":       {`{"keys": [], "\u006beys": []}`, "has the member keys twice"},
		"another member":            {`{"keys": [], "Revoked": ["k0"]}`, "has a member that is none of keys, revoked"},
		"keys of another type":      {`{"keys": {}}`, "has a member keys of the wrong type"},
		"revoked of another type":   {`{"keys": [], "revoked": "k0"}`, "has a member revoked of the wrong type"},
		"revoked without an id":     {`{"keys": [], "revoked": [null]}`, "revokes what is not a key id"},
		"a key that is a string":    {`{"keys": ["` + exampleK + `"]}`, "key number 1 is not a JSON object"},
		"a key that is null":        {`{"keys": [null]}`, "key number 1 is not a JSON object"},
		"no kty":                    {key(`"kid": "k1"`), "key number 1 (k1): kty is neither oct nor OKP"},
		"RSA":                       {key(`"kty": "RSA", "kid": "k1"`), "key number 1 (k1): kty is neither oct nor OKP"},
		"no kid":                    {key(`"kty": "oct", "k": "` + exampleK + `"`), "key number 1 has no kid"},
		"a bad kid":                 {key(`"kty": "oct", "kid": "k.1", "k": "` + exampleK + `"`), "key number 1 has no kid"},
		"a member twice":            {hmac(`, "kid": "k2"`), "key number 1 has the member kid twice"},
		"a misspelled member":       {hmac(`, "nfb": 1800000000`), "key number 1 has a member that is none of kty, kid"},
		"a member in capitals":      {hmac(`, "EXP": 1800000000`), "key number 1 has a member that is none of kty, kid"},
		"a member null":             {hmac(`, "exp": null`), "key number 1 has a member exp that is null"},
		"alg none":                  {hmac(`, "alg": "none"`), "(k1): alg of an oct key is not HS256"},
		"alg of another kty":        {hmac(`, "alg": "EdDSA"`), "(k1): alg of an oct key is not HS256"},
		"for encryption":            {hmac(`, "use": "enc"`), "(k1): use is not sig"},
		"a time as text":            {hmac(`, "exp": "1800000000"`), "key number 1 has a member exp of the wrong type"},
		"a broken time":             {hmac(`, "exp": 1800000000.5`), "key number 1 has a member exp of the wrong type"},
		"a time before all":         {hmac(`, "nbf": -1`), "(k1): nbf is not a time in Unix seconds"},
		"a time in nanoseconds":     {hmac(`, "exp": 1800000000000000000`), "(k1): exp is not a time in Unix seconds"},
		"an end before the begin":   {hmac(`, "nbf": 2, "exp": 1`), "(k1): propagation: key k1: NotAfter is not after NotBefore"},
		"an issuer for a list":      {hmac(`, "iss": "edge"`), "key number 1 has a member iss of the wrong type"},
		"an empty issuer":           {hmac(`, "iss": [""]`), "(k1): propagation: key k1: an issuer is 1 to 128 bytes"},
		"no issuer":                 {hmac(`, "iss": []`), "(k1): iss is an empty list"},
		"no audience":               {hmac(`, "aud": []`), "(k1): aud is an empty list"},
		"no audience, null":         {hmac(`, "aud": null`), "key number 1 has a member aud that is null"},
		"an audience for a list":    {hmac(`, "aud": "orders"`), "key number 1 has a member aud of the wrong type"},
		"an empty audience":         {hmac(`, "aud": [""]`), "(k1): propagation: key k1: an audience is 1 to 128 bytes"},
		"a k of one byte":           {key(`"kty": "oct", "kid": "k1", "k": "` + strings.Repeat("A", 43) + `"`), "key k1: the bytes of the secret are all the same"},
		"two in one":                {hmac(`, "d": "` + exampleD + `"`), "(k1): an oct key has a k, and no crv, d or x"},
		"no k":                      {key(`"kty": "oct", "kid": "k1"`), "(k1): k is missing"},
		"a k that is a number":      {key(`"kty": "oct", "kid": "k1", "k": 12345678`), "key number 1 has a member k of the wrong type"},
		"a short k":                 {key(`"kty": "oct", "kid": "k1", "k": "` + exampleK[:40] + `"`), "(k1): propagation: key k1: the secret has 30 bytes"},
		"a k in base64":             {key(`"kty": "oct", "kid": "k1", "k": "` + exampleK + `="`), "(k1): k is not base64url without padding"},
		"a k with a line end":       {key(`"kty": "oct", "kid": "k1", "k": "` + exampleK + `\n"`), "(k1): k is not base64url without padding"},
		"another curve":             {key(`"kty": "OKP", "crv": "X25519", "kid": "k2", "x": "` + exampleX + `"`), "(k2): an OKP key has the crv Ed25519, and no k"},
		"OKP with a k":              {key(`"kty": "OKP", "crv": "Ed25519", "kid": "k2", "k": "` + exampleK + `"`), "(k2): an OKP key has the crv Ed25519, and no k"},
		"OKP with alg of another":   {key(`"kty": "OKP", "alg": "HS256", "kid": "k2"`), "(k2): alg of an OKP key is neither EdDSA nor Ed25519"},
		"no x":                      {key(`"kty": "OKP", "crv": "Ed25519", "kid": "k2", "d": "` + exampleD + `"`), "(k2): x is missing"},
		"a short x":                 {key(`"kty": "OKP", "crv": "Ed25519", "kid": "k2", "x": "AAAA", "iss": ["partner"]`), "an Ed25519 public key has 32 bytes, not 3"},
		"a short d":                 {private("AAAA", exampleX), "(k2): d has 3 bytes, not 32"},
		"a d in hex":                {private(strings.Repeat("0", 65), exampleX), "(k2): d is not base64url without padding"},
		"the x of another":          {private(exampleK, exampleX), "(k2): x is not the public key of d"},
		"a public key for all":      {key(`"kty": "OKP", "crv": "Ed25519", "kid": "k2", "x": "` + exampleX + `"`), "(k2): propagation: key k2: a public key needs the issuers"},
		"a private key without a d": {strings.Replace(exampleJWKS(), `"d": "`+exampleD+`", `, "", 1), "key number 2 (k2): propagation: key k2: a public key needs the issuers"},
		"an id twice":               {strings.Replace(exampleJWKS(), `"k3"`, `"k1"`, 1), "two keys with the id k1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, _, err := ParseKeys([]byte(test.text))
			require.ErrorContains(t, err, test.want)
			require.Empty(t, keys)
			for _, secret := range []string{exampleK, exampleD, exampleX, exampleK[:12], exampleD[:12], "12345678"} {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
}

// The kill switch works with the next load, be what is beside it right or wrong.
func TestParseKeysRevokesAllTheSame(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"no keys":                 {`{"revoked": ["k0", "k1"]}`, []string{"k0", "k1"}},
		"an empty list":           {`{"keys": [], "revoked": ["k0"]}`, []string{"k0"}},
		"an empty key":            {`{"keys": [{}], "revoked": ["k0"]}`, []string{"k0"}},
		"a short secret":          {`{"keys": [{"kty": "oct", "kid": "k1", "k": "AAAA"}], "revoked": ["k0"]}`, []string{"k0"}},
		"an id twice":             {strings.Replace(exampleJWKS(), `"k3"`, `"k1"`, 1), []string{"k0"}},
		"keys of another type":    {`{"keys": "k1", "revoked": ["k0"]}`, []string{"k0"}},
		"keys null":               {`{"keys": null, "revoked": ["k0"]}`, []string{"k0"}},
		"keys twice":              {`{"keys": [], "keys": [], "revoked": ["k0"]}`, []string{"k0"}},
		"an unknown member":       {`{"key": [], "revoked": ["k0"]}`, []string{"k0"}},
		"revoked twice":           {`{"revoked": ["k0"], "revoked": ["k1"]}`, []string{"k0", "k1"}},
		"an invalid id beside it": {`{"keys": [], "revoked": ["k.0", "k0", "", "k1"]}`, []string{"k0", "k1"}},
		"no id beside it":         {`{"keys": [], "revoked": [null, 1, ["k2"], {"k3": "k3"}, "k0"]}`, []string{"k0"}},
		"an id for a list":        {`{"keys": [], "revoked": "k0"}`, []string{"k0"}},
		"revoked null":            {`{"keys": [], "revoked": null}`, nil},
		"a list":                  {`["k0"]`, nil},
		"half of it":              {`{"revoked": ["k0"]`, nil},
		"something behind":        {`{"revoked": ["k0"]}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, revoked, err := ParseKeys([]byte(test.text))
			require.Error(t, err)
			require.Empty(t, keys)
			require.Equal(t, test.want, revoked)
		})
	}
}

func TestLoaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	fromFile, fromEnv := KeysFromFile(path), KeysFromEnv("OTELAUDIT_TEST_KEYS")
	_, _, err := fromFile(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = fromEnv(t.Context())
	require.ErrorContains(t, err, "the environment variable OTELAUDIT_TEST_KEYS is not set")

	require.NoError(t, os.WriteFile(path, []byte(exampleJWKS()), 0o600))
	t.Setenv("OTELAUDIT_TEST_KEYS", exampleJWKS())
	for _, load := range []KeyLoader{fromFile, fromEnv} {
		k := keyring(t)
		require.NoError(t, k.Reload(t.Context(), load))
		require.Contains(t, k.String(), "key k2 (Ed25519), key k3 (Ed25519, public), revoked k0]")
	}
}

// Whatever is read is a keyring's to take, and no error shows what is in it.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(exampleJWKS()))
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"k1","k":"` + exampleK + `","iss":["edge"]}],"revoked":["k1"]}`))
	f.Add([]byte(`{"keys":[null],"revoked":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, revoked, err := ParseKeys(text)
		if err != nil {
			require.Empty(t, keys)
			for _, secret := range []string{exampleK, exampleD} {
				require.NotContains(t, err.Error(), secret)
			}
			return
		}
		k, err := NewKeyring(keys...)
		require.NoError(t, err)
		k.Revoke(revoked...)
		for _, key := range keys {
			require.NotContains(t, revoked, "")
			require.True(t, key.sign == nil || key.verify(text, key.sign(nil, text)))
		}
	})
}
