package propagation_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/propagation"
)

var updateForgeries = flag.Bool("update-forgeries", false, "write testdata/forgeries anew")

// forgery is a request whose headers name an actor that must not be believed.
type forgery struct {
	Name        string                `json:"name"`
	Baggage     []string              `json:"baggage"`
	Traceparent []string              `json:"traceparent,omitempty"`
	Want        propagation.Rejection `json:"want"` // "" where there is no member of ours to reject
}

// readForgeries returns the corpus, by the name of its files.
func readForgeries(t *testing.T) map[string][]forgery {
	t.Helper()
	files, err := filepath.Glob("testdata/forgeries/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	corpus := map[string][]forgery{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var forgeries []forgery
		require.NoError(t, json.Unmarshal(text, &forgeries), file)
		corpus[strings.TrimSuffix(filepath.Base(file), ".json")] = forgeries
	}
	return corpus
}

// The corpus is the literal text of the files; here is how it came about.
func TestForgeriesAreThose(t *testing.T) {
	t.Parallel()
	if *updateForgeries {
		for name, forgeries := range makeForgeries() {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			require.NoError(t, e.Encode(forgeries))
			require.NoError(t, os.WriteFile(filepath.Join("testdata", "forgeries", name+".json"), b.Bytes(), 0o600))
		}
	}
	const mend = "run the test with -update-forgeries and look at what changes"
	made, read := makeForgeries(), readForgeries(t)
	require.Equal(t, names(made), names(read), mend)
	for group, forgeries := range made {
		require.Len(t, read[group], len(forgeries), mend)
		for i, f := range forgeries {
			require.Equal(t, f, read[group][i], mend)
		}
	}
}

func makeForgeries() map[string][]forgery {
	return map[string][]forgery{
		"signature": signatureForgeries(),
		"key":       keyForgeries(),
		"encoding":  encodingForgeries(),
		"claims":    claimForgeries(),
		"trace":     traceForgeries(),
		"baggage":   baggageForgeries(),
		"flipped":   flippedForgeries(),
		"truncated": truncatedForgeries(),
	}
}

const ours = "otelaudit.actor="

// ofToken is the forgery that a token is, alone in the baggage of the right trace.
func ofToken(name, token string, want propagation.Rejection) forgery {
	return ofBaggage(name, want, ours+token)
}

func ofBaggage(name string, want propagation.Rejection, lines ...string) forgery {
	return forgery{Name: name, Baggage: lines, Traceparent: []string{forgeryTraceparent}, Want: want}
}

// parts returns what stands between the points of a token.
func parts(token string) (kind, kid, payload, signature string) {
	p := strings.Split(token, ".")
	return p[0], p[1], p[2], p[3]
}

func joined(parts ...string) string { return strings.Join(parts, ".") }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func signatureForgeries() []forgery {
	token := genuine().signed()
	kind, kid, payload, signature := parts(token)
	mac, _ := base64.RawURLEncoding.DecodeString(signature)
	alg := func(header string) string {
		return joined(b64([]byte(header)), b64([]byte(`{"iss":"edge","aud":"orders","sub":"mallory"}`)), "")
	}
	bare := func(text string) []byte { return hmacOf(secretOf("group"))(text) }
	another := genuine()
	another.parties[0].id = "mallory"
	_, _, forgedPayload, _ := parts(another.signed())
	return []forgery{
		ofToken("no signature", joined(kind, kid, payload), propagation.RejectionMalformed),
		ofToken("empty signature", joined(kind, kid, payload, ""), propagation.RejectionSignature),
		ofToken("signature of another payload", joined(kind, kid, forgedPayload, signature), propagation.RejectionSignature),
		ofToken("signature of zeros", joined(kind, kid, payload, b64(make([]byte, 32))), propagation.RejectionSignature),
		ofToken("half a signature", joined(kind, kid, payload, b64(mac[:16])), propagation.RejectionSignature),
		ofToken("one byte of a signature", joined(kind, kid, payload, b64(mac[:1])), propagation.RejectionSignature),
		ofToken("a signature and a byte", joined(kind, kid, payload, b64(append(slices.Clone(mac), 0))), propagation.RejectionSignature),
		ofToken("signature twice", joined(kind, kid, payload, b64(append(slices.Clone(mac), mac...))), propagation.RejectionSignature),
		ofToken("secret of somebody else", genuine().signedBy(hmacOf(secretOf("mallory"))), propagation.RejectionSignature),
		ofToken("empty secret", genuine().signedBy(hmacOf(nil)), propagation.RejectionSignature),
		ofToken("signed without the kind", genuine().signedBy(func(text string) []byte { return bare(strings.TrimPrefix(text, "r1.")) }), propagation.RejectionSignature),
		ofToken("signed as the payload only", joined(kind, kid, payload, b64(bare(payload))), propagation.RejectionSignature),
		ofToken("alg none as the signature", joined(kind, kid, payload, "none"), propagation.RejectionSignature),
		ofToken("alg none as the key", joined(kind, "none", payload, ""), propagation.RejectionUnknownKey),
		ofToken("JWT without signature", alg(`{"alg":"none"}`), propagation.RejectionMalformed),
		ofToken("JWT behind the kind", joined("r1", alg(`{"alg":"none"}`)), propagation.RejectionUnknownKey),
		ofToken("JWT", "eyJhbGciOiJIUzI1NiIsImtpZCI6Imdyb3VwIn0.eyJzdWIiOiJtYWxsb3J5In0."+signature, propagation.RejectionMalformed),
	}
}

func keyForgeries() []forgery {
	with := func(change func(*forged)) forged {
		f := genuine()
		change(&f)
		return f
	}
	kid := func(kid string) forged { return with(func(f *forged) { f.kid = kid }) }
	partner := with(func(f *forged) { f.kid, f.issuer = "partner", "partner" })
	return []forgery{
		ofToken("public key as HMAC secret", partner.signedBy(hmacOf(privateKeyOf("partner")[32:])), propagation.RejectionSignature),
		ofToken("HMAC under the id of an Ed25519 key", partner.signedBy(hmacOf(secretOf("group"))), propagation.RejectionSignature),
		ofToken("Ed25519 under the id of an HMAC key", genuine().signedBy(ed25519Of("partner")), propagation.RejectionSignature),
		ofToken("another Ed25519 key", partner.signedBy(ed25519Of("mallory")), propagation.RejectionSignature),
		ofToken("another key's secret", kid("edge").signedBy(hmacOf(secretOf("group"))), propagation.RejectionSignature),
		ofToken("unknown key", kid("mallory").signed(), propagation.RejectionUnknownKey),
		ofToken("a key's id in upper case", kid("GROUP").signedBy(hmacOf(secretOf("group"))), propagation.RejectionUnknownKey),
		ofToken("part of a key's id", kid("grou").signedBy(hmacOf(secretOf("group"))), propagation.RejectionUnknownKey),
		ofToken("no key id", kid("").signedBy(hmacOf(secretOf("group"))), propagation.RejectionMalformed),
		ofToken("key id with a path", kid("../group").signedBy(hmacOf(secretOf("group"))), propagation.RejectionMalformed),
		ofToken("key id of 33 characters", kid(strings.Repeat("k", 33)).signedBy(hmacOf(secretOf("group"))), propagation.RejectionMalformed),
		ofToken("revoked key", kid("revoked").signed(), propagation.RejectionRevokedKey),
		ofToken("key of the past", kid("old").signed(), propagation.RejectionKeyNotValid),
		ofToken("key of the future", kid("new").signed(), propagation.RejectionKeyNotValid),
		ofToken("a key that may not speak for the issuer", with(func(f *forged) { f.kid, f.issuer = "edge", "billing" }).signed(), propagation.RejectionIssuer),
		ofToken("a partner in another's name", with(func(f *forged) { f.kid, f.issuer = "partner", "edge" }).signed(), propagation.RejectionIssuer),
		ofToken("a partner's name in upper case", with(func(f *forged) { f.kid, f.issuer = "partner", "PARTNER" }).signed(), propagation.RejectionIssuer),
		ofToken("a partner's name and more", with(func(f *forged) { f.kid, f.issuer = "partner", "partner " }).signed(), propagation.RejectionIssuer),
		ofToken("no issuer", with(func(f *forged) { f.issuer = "" }).signed(), propagation.RejectionMalformed),
	}
}

func encodingForgeries() []forgery {
	token := genuine().signed()
	kind, kid, payload, signature := parts(token)
	signed := func(payload []byte) string { return sealed("r1", "group", payload, hmacOf(secretOf("group"))) }
	plain := genuine().payload()
	// issued is the five bytes in front; 60 the one behind them.
	lifetime := slices.Concat(plain[:5], []byte{60 | 0x80, 0}, plain[6:])
	padded := base64.URLEncoding.EncodeToString(plain[:len(plain)/3*3-1])
	std := genuine()
	std.reason = "\xff\xfe\xfd?>~" // not UTF-8, and base64 with the characters that the two alphabets have apart
	stdText := "r1.group." + base64.RawStdEncoding.EncodeToString(append(std.payload(), "?>~?>~"...))
	spare := genuine()
	for len(spare.payload())%3 == 0 {
		spare.reason += "x"
	}
	_, _, sparePayload, _ := parts(spare.signed())
	spareText := "r1.group." + nextDigit(sparePayload)
	inside := genuine()
	inside.kind, inside.parties = "r1", []forgedParty{{1, token, token, token}}
	inside.reason = token
	outer := genuine()
	outer.kid, outer.issuer, outer.reason = "mallory", "mallory", token
	nobody := genuine()
	nobody.parties = nil
	many := genuine()
	many.parties = slices.Repeat(many.parties, 6)
	unknownType := genuine()
	unknownType.parties = []forgedParty{{9, "alice", "", ""}}
	zeroType := genuine()
	zeroType.parties = []forgedParty{{0, "alice", "", ""}}
	nameless := genuine()
	nameless.parties = []forgedParty{{1, "", "", ""}}
	notUTF8 := genuine()
	notUTF8.parties = []forgedParty{{1, "\xff", "", ""}}
	message := genuine()
	message.kind, message.message = "m1", slices.Repeat([]byte{7}, 8+32)
	asRequest := message
	asRequest.kind = "r1"
	version2 := genuine()
	version2.kind = "r2"
	long := genuine()
	long.reason = strings.Repeat("x", 2048)
	return []forgery{
		ofToken("a byte behind the payload", signed(append(slices.Clone(plain), 0)), propagation.RejectionMalformed),
		ofToken("a second payload behind the payload", signed(slices.Concat(plain, plain)), propagation.RejectionMalformed),
		ofToken("empty payload", signed(nil), propagation.RejectionMalformed),
		ofToken("a number that is longer than it need be", signed(lifetime), propagation.RejectionMalformed),
		ofToken("a number that never ends", signed(bytes.Repeat([]byte{0xff}, 64)), propagation.RejectionMalformed),
		ofToken("a number of more than 64 bits", signed(append(bytes.Repeat([]byte{0xff}, 9), 0x7f)), propagation.RejectionMalformed),
		ofToken("a text longer than the token", signed(slices.Concat(plain[:34], []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, plain[35:])), propagation.RejectionMalformed),
		ofToken("padding", joined(kind, kid, padded, b64(hmacOf(secretOf("group"))(kind+"."+kid+"."+padded))), propagation.RejectionMalformed),
		ofToken("padding of the signature", token+"=", propagation.RejectionSignature),
		ofToken("standard alphabet", stdText+"."+b64(hmacOf(secretOf("group"))(stdText)), propagation.RejectionMalformed),
		ofToken("bits that say nothing, in the payload", spareText+"."+b64(hmacOf(secretOf("group"))(spareText)), propagation.RejectionMalformed),
		ofToken("bits that say nothing, in the signature", joined(kind, kid, payload, nextDigit(signature)), propagation.RejectionMalformed),
		ofToken("line break in base64", joined(kind, kid, payload[:8]+"\n"+payload[8:], signature), propagation.RejectionSignature),
		ofToken("NUL at the end", token+"\x00", propagation.RejectionSignature),
		ofToken("NUL within", token[:20]+"\x00"+token[20:], propagation.RejectionSignature),
		ofToken("a fifth part", token+".x", propagation.RejectionMalformed),
		ofToken("an empty fifth part", token+".", propagation.RejectionMalformed),
		ofToken("a point in front", "."+token, propagation.RejectionMalformed),
		ofToken("quoted", `"`+token+`"`, propagation.RejectionVersion),
		ofToken("kind in upper case", "R1"+token[2:], propagation.RejectionVersion),
		ofToken("another version", version2.signed(), propagation.RejectionVersion),
		ofToken("a message's token", message.signed(), propagation.RejectionVersion),
		ofToken("a message's payload in a request's token", asRequest.signed(), propagation.RejectionMalformed),
		ofToken("a message's token with the kind of a request's", "r1"+message.signed()[2:], propagation.RejectionSignature),
		ofToken("a token in each field of a token", inside.signed(), propagation.RejectionMalformed),
		ofToken("a token in the reason of a stranger's", outer.signed(), propagation.RejectionUnknownKey),
		ofToken("a token in the place of a payload", joined("r1", "group", token, signature), propagation.RejectionMalformed),
		ofToken("a token in the place of a payload, encoded", joined("r1", "group", b64([]byte(token)), signature), propagation.RejectionSignature),
		ofToken("two tokens", token+token, propagation.RejectionMalformed),
		ofToken("nobody", nobody.signed(), propagation.RejectionMalformed),
		ofToken("six parties", many.signed(), propagation.RejectionMalformed),
		ofToken("a party of no known type", unknownType.signed(), propagation.RejectionMalformed),
		ofToken("a party of type 0", zeroType.signed(), propagation.RejectionMalformed),
		ofToken("a user without an id", nameless.signed(), propagation.RejectionMalformed),
		ofToken("an id that is not UTF-8", notUTF8.signed(), propagation.RejectionMalformed),
		ofToken("more than 2,048 bytes", long.signed(), propagation.RejectionOverlong),
		ofToken("more than 2,048 bytes of nothing", strings.Repeat("x", 2049), propagation.RejectionOverlong),
		ofToken("percent-encoded point", strings.Replace(token, ".", "%2E", 1), propagation.RejectionMalformed),
		ofToken("percent-encoded", percentEncoded(token), propagation.RejectionMalformed),
		ofToken("percent-encoded letter", token[:len(token)-1]+percentEncoded(token[len(token)-1:]), propagation.RejectionSignature),
		ofToken("empty", "", propagation.RejectionMalformed),
		ofToken("points", "...", propagation.RejectionMalformed),
		ofToken("the name of an actor", "user:alice", propagation.RejectionMalformed),
		ofToken("JSON", `{"type":"user"`, propagation.RejectionMalformed),
	}
}

// nextDigit returns base64 whose last digit is the next one: where the last digits say less than six bits each, the bytes
// are the same.
func nextDigit(s string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:len(s)-1] + string(digits[strings.IndexByte(digits, s[len(s)-1])+1])
}

func percentEncoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func claimForgeries() []forgery {
	with := func(name string, want propagation.Rejection, change func(*forged)) forgery {
		f := genuine()
		change(&f)
		return ofToken(name, f.signed(), want)
	}
	now := uint64(forgeryTime.Unix())
	skew := uint64(propagation.Skew.Seconds())
	return []forgery{
		with("another audience", propagation.RejectionAudience, func(f *forged) { f.audience = "billing" }),
		with("no audience", propagation.RejectionMalformed, func(f *forged) { f.audience = "" }),
		with("the audience in upper case", propagation.RejectionAudience, func(f *forged) { f.audience = "ORDERS" }),
		with("the audience and more", propagation.RejectionAudience, func(f *forged) { f.audience = "orders " }),
		with("two audiences", propagation.RejectionAudience, func(f *forged) { f.audience = "orders,billing" }),
		with("expired", propagation.RejectionExpired, func(f *forged) { f.issued = now - 60 - skew - 1 }),
		with("expired in 1970", propagation.RejectionExpired, func(f *forged) { f.issued = 0 }),
		with("from the future", propagation.RejectionNotYetValid, func(f *forged) { f.issued = now + skew + 1 }),
		with("from the far future", propagation.RejectionNotYetValid, func(f *forged) { f.issued = 1 << 40 }),
		with("issued at the end of the numbers", propagation.RejectionMalformed, func(f *forged) { f.issued = 1<<64 - 1 }),
		with("issued before the beginning, as two's complement", propagation.RejectionMalformed, func(f *forged) { f.issued = 1 << 63 }),
		with("a lifetime of 301 seconds", propagation.RejectionLifetime, func(f *forged) { f.lifetime = 301 }),
		with("a lifetime of a year", propagation.RejectionLifetime, func(f *forged) { f.lifetime = 365 * 24 * 3600 }),
		with("a lifetime that overflows", propagation.RejectionMalformed, func(f *forged) { f.lifetime = 1<<64 - 1 }),
		with("no lifetime", propagation.RejectionMalformed, func(f *forged) { f.lifetime = 0 }),
	}
}

func traceForgeries() []forgery {
	token := genuine().signed()
	untraced := genuine()
	untraced.trace = strings.Repeat("0", 32)
	on := func(name, token string, traceparent ...string) forgery {
		return forgery{Name: name, Baggage: []string{ours + token}, Traceparent: traceparent, Want: propagation.RejectionTrace}
	}
	return []forgery{
		on("replayed on another trace", token, otherTraceparent),
		on("replayed without a trace", token),
		on("replayed with an empty traceparent", token, ""),
		on("a token of no trace on a trace", untraced.signed(), forgeryTraceparent),
		on("two traceparents, the right one first", token, forgeryTraceparent, otherTraceparent),
		on("two traceparents, the right one last", token, otherTraceparent, forgeryTraceparent),
		on("a token of no trace under two traceparents", untraced.signed(), "x", "y"),
		on("two traceparents in a line", token, forgeryTraceparent+","+otherTraceparent),
		on("traceparent in upper case", token, strings.ToUpper(forgeryTraceparent)),
		on("traceparent without a span", token, "00-"+forgeryTrace+"-0000000000000000-01"),
		on("traceparent of a version that cannot be", token, "ff"+forgeryTraceparent[2:]),
		on("half a traceparent", token, "00-"+forgeryTrace),
	}
}

func baggageForgeries() []forgery {
	token := genuine().signed()
	member := ours + token
	mallory := genuine()
	mallory.parties[0].id = "mallory"
	forgedMember := ours + mallory.signedBy(hmacOf(secretOf("mallory")))
	bulk := strings.Repeat("k=v,", 10_000)
	return []forgery{
		ofBaggage("twice in a line", propagation.RejectionDuplicate, member+","+member),
		ofBaggage("twice in two lines", propagation.RejectionDuplicate, member, member),
		ofBaggage("a forged one first", propagation.RejectionDuplicate, forgedMember+",a=1,"+member),
		ofBaggage("a forged one last", propagation.RejectionDuplicate, member, "a=1,"+forgedMember),
		ofBaggage("a second one in upper case", propagation.RejectionDuplicate, member+","+strings.ToUpper(ours)+token),
		ofBaggage("a second one, percent-encoded", propagation.RejectionDuplicate, "%6Ftelaudit.actor=x", member),
		ofBaggage("a second one without a value", propagation.RejectionDuplicate, "otelaudit.actor", member),
		ofBaggage("a second one behind other white space", propagation.RejectionDuplicate, member+",\u00a0"+ours+"x"),
		ofBaggage("1,000 times", propagation.RejectionBaggageLimit, strings.Repeat(ours+"x,", 1000)+member),
		ofBaggage("key in upper case", propagation.RejectionMalformed, strings.ToUpper(ours)+token),
		ofBaggage("key with a letter in upper case", propagation.RejectionMalformed, "otelaudit.Actor="+token),
		ofBaggage("percent-encoded key", propagation.RejectionMalformed, percentEncoded("otelaudit.actor")+"="+token),
		ofBaggage("percent-encoded letter in the key", propagation.RejectionMalformed, "otelaudit%2eactor="+token),
		ofBaggage("key behind a no-break space", propagation.RejectionMalformed, "\u00a0"+member),
		ofBaggage("key before a vertical tab", propagation.RejectionMalformed, "otelaudit.actor\v="+token),
		ofBaggage("value behind a no-break space", propagation.RejectionVersion, ours+"\u00a0"+token),
		ofBaggage("white space within the value", propagation.RejectionSignature, ours+token[:20]+" "+token[20:]),
		ofBaggage("a property", propagation.RejectionMalformed, member+";trusted"),
		ofBaggage("a property with a value", propagation.RejectionMalformed, member+"; actor=mallory"),
		ofBaggage("an empty property", propagation.RejectionMalformed, member+";"),
		ofBaggage("no value", propagation.RejectionMalformed, "otelaudit.actor"),
		ofBaggage("a property in place of the value", propagation.RejectionMalformed, "otelaudit.actor;"+token),
		ofBaggage("two equals signs", propagation.RejectionVersion, "otelaudit.actor=="+token),
		ofBaggage("carriage return behind it", propagation.RejectionSignature, member+"\r,a=1"),
		ofBaggage("10,000 members in a line", propagation.RejectionBaggageLimit, bulk+member),
		ofBaggage("10,000 members behind it", propagation.RejectionBaggageLimit, member+","+bulk),
		ofBaggage("65 members", propagation.RejectionBaggageLimit, strings.Repeat("a=1,", 64)+member),
		ofBaggage("65 members in 65 lines", propagation.RejectionBaggageLimit, append(slices.Repeat([]string{"a=1"}, 64), member)...),
		ofBaggage("8,193 bytes", propagation.RejectionBaggageLimit, "a="+strings.Repeat("x", 8193-len("a=,")-len(member))+","+member),
		ofBaggage("8,193 bytes in two lines", propagation.RejectionBaggageLimit, "a="+strings.Repeat("x", 8193-len("a=,")-len(member)), member),
		ofBaggage("in the value of another", "", "a="+member),
		ofBaggage("in a property of another", "", "a=1;"+member),
		ofBaggage("a longer key", "", "otelaudit.actors="+token),
		ofBaggage("a Greek letter in the key", "", "\u03bftelaudit.actor="+token),
		ofBaggage("a Cyrillic letter in the key", "", "otelaudit.\u0430ctor="+token),
		ofBaggage("full-width letters in the key", "", "\uff4ftelaudit.actor="+token),
		ofBaggage("a zero-width space in the key", "", "otelaudit\u200b.actor="+token),
		ofBaggage("a NUL in the key", "", "otelaudit.actor\x00="+token),
		ofBaggage("a soft hyphen in the key, encoded", "", "otelaudit%C2%AD.actor="+token),
		ofBaggage("a key encoded twice", "", "%256Ftelaudit.actor="+token),
		ofBaggage("semicolons between members", "", "a=1;"+ours+"x;"+member),
	}
}

// flippedForgeries are tokens of which one bit, or one character, is another.
func flippedForgeries() []forgery {
	f := genuine()
	token := f.signed()
	kind, kid, payload, signature := parts(token)
	var all []forgery
	plain := f.payload()
	for i := range plain {
		changed := slices.Clone(plain)
		changed[i] ^= 1 << (i % 8)
		all = append(all, ofToken(fmt.Sprintf("payload, byte %d", i), joined(kind, kid, b64(changed), signature), propagation.RejectionSignature))
	}
	mac, _ := base64.RawURLEncoding.DecodeString(signature)
	for i := range mac {
		changed := slices.Clone(mac)
		changed[i] ^= 1 << (i % 8)
		all = append(all, ofToken(fmt.Sprintf("signature, byte %d", i), joined(kind, kid, payload, b64(changed)), propagation.RejectionSignature))
	}
	for i := range len(kid) {
		changed := []byte(kid)
		changed[i] ^= 1
		all = append(all, ofToken(fmt.Sprintf("key id, character %d", i), joined(kind, string(changed), payload, signature), propagation.RejectionUnknownKey))
	}
	return all
}

// truncatedForgeries are tokens that end too early, in each of their parts.
func truncatedForgeries() []forgery {
	token := genuine().signed()
	var all []forgery
	for n := 1; n < len(token); n += 7 {
		want := propagation.RejectionMalformed
		if strings.Count(token[:n], ".") == 3 {
			want = propagation.RejectionSignature
		}
		all = append(all, ofToken(fmt.Sprintf("after %d characters", n), token[:n], want))
	}
	return all
}

// names are those of a corpus, in order.
func names(corpus map[string][]forgery) []string { return slices.Sorted(maps.Keys(corpus)) }
