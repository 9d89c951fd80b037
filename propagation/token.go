package propagation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"time"
)

const (
	maxTokenBytes = 2048

	// domain stands before what is signed, so that no signature of a key for something else is a token's, nor a token's
	// for something else.
	domain = "otelaudit-actor-token:"
)

var encoding = base64.RawURLEncoding.Strict()

// scratch is what opening and sealing need for a moment.
type scratch struct {
	text      [len(domain) + 2*maxTokenBytes]byte // the domain, and the token behind it
	payload   [maxTokenBytes]byte
	signature [ed25519.SignatureSize]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// verified is a token that a key of the ring has signed. It is shared and never changed.
type verified struct {
	claimSet
	key *Key
}

// open returns what token says, or why it says nothing. It checks everything but the audience, and what the token is bound
// to: its trace or its message.
func (k *Keyring) open(token string, kind kind, now time.Time) (*verified, Rejection) {
	if len(token) > maxTokenBytes {
		return nil, RejectionOverlong
	}
	first, rest, _ := strings.Cut(token, ".")
	id, _, _ := strings.Cut(rest, ".")
	switch {
	case strings.Count(token, ".") != 3 || !isKeyID(id):
		return nil, RejectionMalformed
	case first != string(kind):
		return nil, RejectionVersion
	}
	key, rejection := k.current().verifier(id, now)
	if rejection != "" {
		return nil, rejection
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	text := append(append(s.text[:0], domain...), token...)
	digest := sha256.Sum256(text)
	v, hit := k.verified.get(digest)
	hit = hit && v.key == key // not the key that had this id before
	if !hit {
		if v, rejection = key.open(s, text, kind); rejection != "" {
			return nil, rejection
		}
	}
	if rejection = v.timely(now); rejection != "" {
		return nil, rejection
	}
	if !hit {
		k.verified.put(digest, v)
	}
	return v, ""
}

// open verifies text, which is the domain and a token of four parts.
func (k *Key) open(s *scratch, text []byte, kind kind) (*verified, Rejection) {
	end := bytes.LastIndexByte(text, '.')
	signed, signature := text[:end], text[end+1:]
	if len(signature) != encoding.EncodedLen(k.size) {
		return nil, RejectionSignature
	}
	sum, ok := decode(s.signature[:], signature)
	if !ok {
		return nil, RejectionMalformed
	}
	if !k.verify(signed, sum) {
		return nil, RejectionSignature
	}
	payload, ok := decode(s.payload[:], signed[bytes.LastIndexByte(signed, '.')+1:])
	v := &verified{key: k}
	if !ok || parseClaims(kind, payload, &v.claimSet) != nil {
		return nil, RejectionMalformed
	}
	if !k.speaksFor(v.issuer) {
		return nil, RejectionIssuer
	}
	return v, ""
}

// decode decodes text if it is the one encoding of its bytes: the decoder itself reads over line ends.
func decode(dst, text []byte) ([]byte, bool) {
	n, err := encoding.Decode(dst, text)
	return dst[:n], err == nil && encoding.EncodedLen(n) == len(text)
}

// timely checks c's times, to within [Skew].
func (c *claimSet) timely(now time.Time) Rejection {
	lifetime := time.Duration(c.lifetime) * time.Second
	issued := time.Unix(c.issued, 0)
	switch {
	case c.lifetime > int64(c.kind.maxLifetime()/time.Second):
		return RejectionLifetime
	case issued.After(now.Add(Skew)):
		return RejectionNotYetValid
	case !issued.Add(lifetime + Skew).After(now):
		return RejectionExpired
	}
	return ""
}

// seal appends to dst the token that says what c says, issued now. It fills in issued and nonce.
func (k *Keyring) seal(dst []byte, c *claimSet, now time.Time) ([]byte, error) {
	key := k.current().signer(c.issuer, c.audience, now)
	if key == nil {
		return dst, ErrNoKey
	}
	c.begin(now)
	return key.seal(dst, c)
}

// begin fills in what is another in each token.
func (c *claimSet) begin(now time.Time) {
	c.issued = now.Unix()
	_, _ = rand.Read(c.nonce[:]) // never fails
}

// seal appends to dst the token that says what c says. Where c has too much to say, it leaves out the reason, which people
// type: nobody must be able to keep himself out of a token by being verbose.
func (k *Key) seal(dst []byte, c *claimSet) ([]byte, error) {
	if err := c.validate(); err != nil {
		return dst, err
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	token := k.encode(s, c)
	if len(token) > maxTokenBytes && c.reason != "" {
		c.reason = ""
		token = k.encode(s, c)
	}
	if len(token) > maxTokenBytes {
		return dst, errTooLong
	}
	return append(dst, token...), nil
}

// encode returns the token in s's memory.
func (k *Key) encode(s *scratch, c *claimSet) []byte {
	text := append(s.text[:0], domain...)
	text = append(text, c.kind...)
	text = append(text, '.')
	text = append(text, k.ID...)
	text = append(text, '.')
	text = encoding.AppendEncode(text, c.append(s.payload[:0]))
	signature := k.sign(s.signature[:0], text)
	text = append(text, '.')
	text = encoding.AppendEncode(text, signature)
	return bytes.TrimPrefix(text, []byte(domain))
}

// issued is a token that can go out again.
type issued struct {
	token       func() string // a function does not show what it returns, whatever prints it
	key         *Key
	from, until time.Time
}

// issue returns the token of a request that says what c says. For half of its lifetime the same claims get the same token,
// so that receivers find it among those that they have verified.
func (k *Keyring) issue(c *claimSet, now time.Time) (string, error) {
	key := k.current().signer(c.issuer, c.audience, now)
	if key == nil {
		return "", ErrNoKey
	}
	digest := c.digest()
	if t, ok := k.issued.get(digest); ok && t.key == key && !now.Before(t.from) && now.Before(t.until) {
		return t.token(), nil
	}
	c.begin(now)
	sealed, err := key.seal(nil, c) // with the key under which it is kept
	if err != nil {
		return "", err
	}
	token := string(sealed)
	until := now.Add(time.Duration(c.lifetime) * time.Second / 2)
	k.issued.put(digest, issued{func() string { return token }, key, now, until})
	return token, nil
}
