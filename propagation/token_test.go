package propagation

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// testTime is the time of exampleClaims.
var testTime = time.Unix(1_800_000_000, 0)

// algorithms are keyrings for which each test of a signature holds.
func algorithms(tb testing.TB) map[string]*Keyring {
	tb.Helper()
	return map[string]*Keyring{"HMAC": keyring(tb, hmacKey(tb, "k1")), "Ed25519": keyring(tb, ed25519Key(tb, "k2"))}
}

func sealed(tb testing.TB, k *Keyring, c *claimSet) string {
	tb.Helper()
	token, err := k.seal(nil, c, testTime)
	require.NoError(tb, err)
	return string(token)
}

func messageClaims() *claimSet {
	c := exampleClaims()
	c.kind, c.span, c.message = kindMessage, [8]byte{2}, sha256.Sum256([]byte("body"))
	return c
}

func TestWhatIsSealedOpens(t *testing.T) {
	t.Parallel()
	rings := algorithms(t)
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.OneOf(genClaims(kindRequest), genClaims(kindMessage)).Draw(t, "claims")
		k := rings[rapid.SampledFrom([]string{"HMAC", "Ed25519"}).Draw(t, "algorithm")]
		token, err := k.seal([]byte("before"), c, testTime)
		require.NoError(t, err)
		require.Equal(t, testTime.Unix(), c.issued)
		require.LessOrEqual(t, len(token), len("before")+maxTokenBytes)
		text := strings.TrimPrefix(string(token), "before")

		for range 2 { // the second time from the cache
			v, rejection := k.open(text, c.kind, testTime)
			require.Empty(t, rejection)
			require.Equal(t, *c, v.claimSet)
		}
		other := kindRequest
		if c.kind == kindRequest {
			other = kindMessage
		}
		v, rejection := k.open(text, other, testTime)
		require.Equal(t, RejectionVersion, rejection)
		require.Nil(t, v)
		_, rejection = k.open(string(other)+text[2:], other, testTime)
		require.Equal(t, RejectionSignature, rejection)
	})
}

// refused opens what is no token and returns why it is none.
func refused(tb testing.TB, k *Keyring, token string, kind kind, now time.Time) Rejection {
	tb.Helper()
	v, rejection := k.open(token, kind, now)
	require.NotEmpty(tb, rejection, "%q was taken", token)
	require.Nil(tb, v)
	return rejection
}

// One bit, one byte less or one more, anywhere, and it is no token, even if the genuine one was verified before.
func TestWhatIsChangedIsRefused(t *testing.T) {
	t.Parallel()
	for name, k := range algorithms(t) {
		for _, c := range []*claimSet{exampleClaims(), messageClaims()} {
			t.Run(name+" "+string(c.kind), func(t *testing.T) {
				t.Parallel()
				token := sealed(t, k, c)
				_, rejection := k.open(token, c.kind, testTime)
				require.Empty(t, rejection)
				for i := range token {
					for bit := range 8 {
						changed := []byte(token)
						changed[i] ^= 1 << bit
						refused(t, k, string(changed), c.kind, testTime)
					}
					refused(t, k, token[:i], c.kind, testTime)
					refused(t, k, token[i+1:], c.kind, testTime)
					refused(t, k, token[:i]+token[i+1:], c.kind, testTime)
					for _, more := range []string{"A", ".", "=", "\n", "\r", "\x00", " "} {
						refused(t, k, token[:i]+more+token[i:], c.kind, testTime)
						refused(t, k, token+more, c.kind, testTime)
					}
				}
				_, rejection = k.open(token, c.kind, testTime)
				require.Empty(t, rejection)
			})
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	group, own, partner := hmacKey(t, "group"), ed25519Key(t, "own"), publicKey(t, "partner", "partner")
	early, late := hmacKey(t, "early"), hmacKey(t, "late")
	early.NotAfter, late.NotBefore = testTime.Add(-time.Minute), testTime.Add(time.Minute)
	limited := hmacKey(t, "limited")
	limited.Issuers = []string{"orders"}
	k := keyring(t, group, own, partner, early, late, limited, hmacKey(t, "gone"))
	k.Revoke("gone", "never-there")

	by := func(key Key, change func(*claimSet)) string {
		c := exampleClaims()
		change(c)
		token, err := key.seal(nil, c)
		require.NoError(t, err)
		return string(token)
	}
	genuine := func(*claimSet) {}
	good := by(group, genuine)
	parts := strings.Split(good, ".")
	// signed is a token whose key has signed whatever is in it.
	signed := func(key Key, payload string) string {
		text := "r1." + key.ID + "." + payload
		return text + "." + encoding.EncodeToString(key.sign(nil, []byte(domain+text)))
	}
	require.Equal(t, good, signed(group, parts[2]))
	imposter, err := HMACKey("group", secretOf("imposter"))
	require.NoError(t, err)
	partnersPrivate := ed25519Key(t, "partner")
	asPublic, err := HMACKey("own", privateOf("own")[32:]) // the classic: the public key as an HMAC's secret
	require.NoError(t, err)

	for name, test := range map[string]struct {
		token string
		want  Rejection
	}{
		"nothing":                      {"", RejectionMalformed},
		"dots":                         {"...", RejectionMalformed},
		"three parts":                  {strings.Join(parts[:3], "."), RejectionMalformed},
		"five parts":                   {good + ".A", RejectionMalformed},
		"too long":                     {good + strings.Repeat("A", maxTokenBytes), RejectionOverlong},
		"as long as may be":            {good + strings.Repeat("A", maxTokenBytes-len(good)), RejectionSignature},
		"a JWT":                        {"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", RejectionMalformed},
		"another version":              {"r2" + good[2:], RejectionVersion},
		"upper case":                   {"R1" + good[2:], RejectionVersion},
		"a message's":                  {sealed(t, k, messageClaims()), RejectionVersion},
		"no key id":                    {"r1.." + parts[2] + "." + parts[3], RejectionMalformed},
		"a long key id":                {"r1." + strings.Repeat("k", 33) + "." + parts[2] + "." + parts[3], RejectionMalformed},
		"an unknown key":               {"r1.nobody." + parts[2] + "." + parts[3], RejectionUnknownKey},
		"another key":                  {"r1.limited." + parts[2] + "." + parts[3], RejectionSignature},
		"a revoked key":                {by(hmacKey(t, "gone"), genuine), RejectionRevokedKey},
		"a revoked key without one":    {"r1.never-there." + parts[2] + "." + parts[3], RejectionRevokedKey},
		"a key of the past":            {by(early, genuine), RejectionKeyNotValid},
		"a key of the future":          {by(late, genuine), RejectionKeyNotValid},
		"no payload":                   {"r1.group.." + parts[3], RejectionSignature},
		"a signed empty payload":       {signed(group, ""), RejectionMalformed},
		"a signed line end":            {signed(group, parts[2]+"\n"), RejectionMalformed},
		"a signed padding":             {signed(group, parts[2]+"="), RejectionMalformed},
		"a signed + in place of -":     {signed(group, "+"+parts[2][1:]), RejectionMalformed},
		"a signed payload and more":    {signed(group, parts[2]+"AAAA"), RejectionMalformed},
		"no signature":                 {parts[0] + "." + parts[1] + "." + parts[2] + ".", RejectionSignature},
		"a short signature":            {good[:len(good)-2], RejectionSignature},
		"a signature in base64":        {strings.Join(parts[:3], ".") + "." + strings.Repeat("+", 42) + "A", RejectionMalformed},
		"a signature with a line end":  {strings.Join(parts[:3], ".") + ".\n" + parts[3][1:], RejectionMalformed},
		"zeros":                        {strings.Join(parts[:3], ".") + "." + strings.Repeat("A", 43), RejectionSignature},
		"another secret":               {by(imposter, genuine), RejectionSignature},
		"an HMAC with the public key":  {by(asPublic, genuine), RejectionSignature},
		"an Ed25519 key's, as HMAC":    {strings.Replace(by(own, genuine), "r1.own.", "r1.group.", 1), RejectionSignature},
		"not without the domain":       {"r1.group." + parts[2] + "." + encoding.EncodeToString(group.sign(nil, []byte("r1.group."+parts[2]))), RejectionSignature},
		"a partner in another's name":  {by(partnersPrivate, genuine), RejectionIssuer},
		"beyond the key's issuers":     {by(limited, genuine), RejectionIssuer},
		"expired":                      {by(group, func(c *claimSet) { c.issued -= 60 + 5 }), RejectionExpired},
		"from the future":              {by(group, func(c *claimSet) { c.issued += 6 }), RejectionNotYetValid},
		"from the far future":          {by(group, func(c *claimSet) { c.issued = maxUvarint }), RejectionNotYetValid},
		"with too long a life":         {by(group, func(c *claimSet) { c.lifetime = 301 }), RejectionLifetime},
		"with a life beyond all times": {by(group, func(c *claimSet) { c.lifetime = maxUvarint }), RejectionLifetime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, refused(t, k, test.token, kindRequest, testTime))
			require.Equal(t, test.want, refused(t, k, test.token, kindRequest, testTime), "again")
		})
	}
	for name, token := range map[string]string{
		"a key's":            good,
		"Ed25519":            by(own, genuine),
		"a partner's own":    by(partnersPrivate, func(c *claimSet) { c.issuer = "partner" }),
		"a limited key's":    by(limited, func(c *claimSet) { c.issuer = "orders" }),
		"at its last":        by(group, func(c *claimSet) { c.issued -= 60 + 4 }),
		"of a fast clock":    by(group, func(c *claimSet) { c.issued += 5 }),
		"of the longest":     by(group, func(c *claimSet) { c.lifetime = 300 }),
		"of all that it can": by(group, func(c *claimSet) { c.reason = strings.Repeat("r", maxReasonBytes) }),
	} {
		_, rejection := k.open(token, kindRequest, testTime)
		require.Empty(t, rejection, name)
	}
}

// A token that was verified once ends when it ends, and when its key does.
func TestOpenAgain(t *testing.T) {
	t.Parallel()
	key := hmacKey(t, "k")
	key.NotAfter = testTime.Add(30 * time.Second)
	k := keyring(t, key)
	token := sealed(t, k, exampleClaims())
	open := func(now time.Time) Rejection {
		_, rejection := k.open(token, kindRequest, now)
		return rejection
	}
	require.Empty(t, open(testTime))
	first, _ := k.open(token, kindRequest, testTime)
	again, _ := k.open(token, kindRequest, testTime)
	require.Same(t, first, again)

	require.Equal(t, RejectionNotYetValid, open(testTime.Add(-Skew-1)))
	require.Empty(t, open(testTime.Add(-Skew)))
	require.Empty(t, open(key.NotAfter.Add(Skew)))
	require.Equal(t, RejectionKeyNotValid, open(key.NotAfter.Add(Skew+1)))

	key.NotAfter = time.Time{}
	require.NoError(t, k.Set(key))
	require.Empty(t, open(testTime.Add(time.Minute+Skew-1)))
	require.Equal(t, RejectionExpired, open(testTime.Add(time.Minute+Skew)))

	another, err := HMACKey("k", secretOf("another"))
	require.NoError(t, err)
	require.NoError(t, k.Set(another))
	require.Equal(t, RejectionSignature, open(testTime), "the same id, but not the same key")
	require.NoError(t, k.Set(hmacKey(t, "k2")))
	require.Equal(t, RejectionUnknownKey, open(testTime))
	require.NoError(t, k.Set(key))
	require.Empty(t, open(testTime))
	k.Revoke("k")
	require.Equal(t, RejectionRevokedKey, open(testTime))
}

func TestNoTwoAreEqual(t *testing.T) {
	t.Parallel()
	k := keyring(t, hmacKey(t, "k"))
	first, second := sealed(t, k, messageClaims()), sealed(t, k, messageClaims())
	require.NotEqual(t, first, second)
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	k := keyring(t, hmacKey(t, "k"))
	for name, test := range map[string]struct {
		change func(*claimSet)
		want   error
	}{
		"too long an id":       {func(c *claimSet) { c.parties[0].id = strings.Repeat("a", maxIDBytes+1) }, errTooLong},
		"too long a tenant":    {func(c *claimSet) { c.tenant = strings.Repeat("a", maxIDBytes+1) }, errTooLong},
		"too long an audience": {func(c *claimSet) { c.audience = strings.Repeat("a", maxServiceBytes+1) }, errTooLong},
		"too much of it all": {func(c *claimSet) {
			c.parties = nil
			for range maxParties {
				c.parties = append(c.parties, party{kind: otelaudit.ActorUser, id: strings.Repeat("a", maxIDBytes), name: strings.Repeat("a", maxNameBytes)})
			}
		}, errTooLong},
		"a control character":  {func(c *claimSet) { c.operation = "a\x00" }, errUnusable},
		"an id not of UTF-8":   {func(c *claimSet) { c.parties[0].id = "\xff" }, errUnusable},
		"an actor of no type":  {func(c *claimSet) { c.parties[0].kind = "robot" }, ErrNoActor},
		"an actor without id":  {func(c *claimSet) { c.parties[0].id = "" }, ErrNoActor},
		"no audience":          {func(c *claimSet) { c.audience = "" }, errMalformed},
		"more than five":       {func(c *claimSet) { c.parties = make([]party, 6) }, errMalformed},
		"no lifetime":          {func(c *claimSet) { c.lifetime = 0 }, errMalformed},
		"nobody who may speak": {func(c *claimSet) { c.issuer = "" }, errMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := exampleClaims()
			test.change(c)
			token, err := k.issue(c, testTime)
			require.ErrorIs(t, err, test.want)
			require.Empty(t, token)
		})
	}
	for name, ring := range map[string]*Keyring{
		"no keys":         keyring(t),
		"a public key":    keyring(t, publicKey(t, "p", "edge")),
		"another's issue": keyring(t, func() Key { key := hmacKey(t, "k"); key.Issuers = []string{"orders"}; return key }()),
		"a revoked key":   func() *Keyring { ring := keyring(t, hmacKey(t, "k")); ring.Revoke("k"); return ring }(),
		"a key of later":  keyring(t, func() Key { key := hmacKey(t, "k"); key.NotBefore = testTime.Add(1); return key }()),
	} {
		_, err := ring.issue(exampleClaims(), testTime)
		require.ErrorIs(t, err, ErrNoKey, name)
		_, err = ring.seal(nil, exampleClaims(), testTime)
		require.ErrorIs(t, err, ErrNoKey, name)
	}
}

// Where all does not fit, the reason is left out: it is what somebody typed.
func TestTheReasonGivesWay(t *testing.T) {
	t.Parallel()
	k := keyring(t, ed25519Key(t, "k"))
	c := exampleClaims()
	c.reason, c.tenant, c.operation = strings.Repeat("r", maxReasonBytes), strings.Repeat("t", maxIDBytes), strings.Repeat("o", maxIDBytes)
	c.parties[0].id = strings.Repeat("a", maxIDBytes)
	c.parties = append(c.parties, c.parties[0])

	v, rejection := k.open(sealed(t, k, c), kindRequest, testTime)
	require.Empty(t, rejection)
	require.Empty(t, v.reason)
	require.Len(t, v.parties, 2)
}

func TestIssueAgain(t *testing.T) {
	t.Parallel()
	k := keyring(t, hmacKey(t, "k1"))
	issue := func(now time.Time, change func(*claimSet)) string {
		c := exampleClaims()
		c.issued, c.nonce = int64(now.Nanosecond()), [nonceBytes]byte{byte(now.Nanosecond())} // neither counts
		change(c)
		token, err := k.issue(c, now)
		require.NoError(t, err)
		_, rejection := k.open(token, kindRequest, now)
		require.Empty(t, rejection)
		return token
	}
	same := func(*claimSet) {}
	first := issue(testTime, same)
	require.Equal(t, first, issue(testTime.Add(30*time.Second-1), same))
	for name, change := range map[string]func(*claimSet){
		"trace":     func(c *claimSet) { c.trace[3] = 1 },
		"audience":  func(c *claimSet) { c.audience = "billing" },
		"issuer":    func(c *claimSet) { c.issuer = "edge-2" },
		"tenant":    func(c *claimSet) { c.tenant = "" },
		"operation": func(c *claimSet) { c.operation = "op-2" },
		"reason":    func(c *claimSet) { c.reason = "ticket 8" },
		"lifetime":  func(c *claimSet) { c.lifetime++ },
		"actor":     func(c *claimSet) { c.parties[0].id = "bob" },
		"chain":     func(c *claimSet) { c.parties = append(c.parties, c.parties[0]) },
	} {
		require.NotEqual(t, first, issue(testTime, change), name)
	}
	require.NotEqual(t, first, issue(testTime.Add(30*time.Second), same), "half of its lifetime is over")
	require.NotEqual(t, first, issue(testTime, same), "the clock was set back")
	require.NoError(t, k.Set(hmacKey(t, "k2"), hmacKey(t, "k1")))
	require.Contains(t, issue(testTime.Add(40*time.Second), same), "r1.k2.")
	k.Revoke("k2")
	require.Contains(t, issue(testTime.Add(40*time.Second), same), "r1.k1.")
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c cache[int]
	at := func(i int) digest { return sha256.Sum256(fmt.Append(nil, i)) }
	_, ok := c.get(at(0))
	require.False(t, ok)
	for i := range 3 * cacheEntries {
		c.put(at(i), i)
		require.LessOrEqual(t, len(c.young)+len(c.old), cacheEntries)
		v, ok := c.get(at(0))
		require.True(t, ok, "it is asked for all the time")
		require.Zero(t, v)
		v, ok = c.get(at(i))
		require.True(t, ok)
		require.Equal(t, i, v)
	}
	_, ok = c.get(at(cacheEntries))
	require.False(t, ok)
}

// Whatever is opened, its very bytes were sealed by a key of the ring.
func FuzzOpen(f *testing.F) {
	now := testTime
	keys := []Key{hmacKey(f, "k1"), ed25519Key(f, "k2")}
	k := keyring(f, keys...)
	for _, key := range keys {
		for _, c := range []*claimSet{exampleClaims(), messageClaims()} {
			token, err := key.seal(nil, c)
			require.NoError(f, err)
			f.Add(string(token))
		}
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, kind := range []kind{kindRequest, kindMessage} {
			v, rejection := k.open(token, kind, now)
			if rejection != "" {
				require.Nil(t, v)
				continue
			}
			again, err := v.key.seal(nil, &v.claimSet) // both algorithms are deterministic
			require.NoError(t, err)
			require.Equal(t, token, string(again))
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	for name, k := range algorithms(b) {
		token := sealed(b, k, exampleClaims())
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				clear(k.verified.young)
				if _, rejection := k.open(token, kindRequest, testTime); rejection != "" {
					b.Fatal(rejection)
				}
			}
		})
		b.Run(name+" cached", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, rejection := k.open(token, kindRequest, testTime); rejection != "" {
					b.Fatal(rejection)
				}
			}
		})
	}
}

func BenchmarkIssue(b *testing.B) {
	for name, k := range algorithms(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.seal(nil, exampleClaims(), testTime); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" again", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.issue(exampleClaims(), testTime); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
