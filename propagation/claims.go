package propagation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// kind is what a token is for. Its text begins with it, and the signature covers it.
type kind string

const (
	kindRequest kind = "r1"
	kindMessage kind = "m1"
)

// authMethod returns how an actor from a token of this kind has proved who it is.
func (k kind) authMethod() string {
	if k == kindMessage {
		return "message_token"
	}
	return "actor_token"
}

// maxLifetime returns the longest time that a token of this kind may live.
func (k kind) maxLifetime() time.Duration {
	if k == kindMessage {
		return maxMessageLifetime
	}
	return maxLifetime
}

// What a token holds at the most, in bytes of UTF-8. Five parties that need all of it do not fit a token: an opaque id is
// much shorter.
const (
	maxParties     = 5 // the subject, and four on whose behalf it acts, or three and a mark
	maxIDBytes     = 256
	maxNameBytes   = 128
	maxMethodBytes = 64
	maxReasonBytes = 512

	nonceBytes   = 12
	uvarintBytes = 6
	maxUvarint   = 1<<(7*uvarintBytes) - 1
)

// claimSet is what a token says. docs/actor-token.md has their meaning and their order.
type claimSet struct {
	kind     kind
	issued   int64 // Unix seconds
	lifetime int64 // seconds
	nonce    [nonceBytes]byte
	trace    trace.TraceID

	span    trace.SpanID // of messages only, like the next
	message [32]byte     // the SHA-256 of the message's body

	issuer, audience, tenant, operation, reason string

	parties []party // the subject first, then on whose behalf it acts, nearest first
}

// party is an actor as a token names it.
type party struct {
	kind             otelaudit.ActorType
	id, name, method string
}

// partyTypes are the types of parties by their byte. Nobody knows an unknown subject, so there is none.
var partyTypes = [...]otelaudit.ActorType{
	1: otelaudit.ActorUser,
	2: otelaudit.ActorService,
	3: otelaudit.ActorSystem,
	4: otelaudit.ActorAnonymous,
	5: otelaudit.ActorUnknown,
}

// Why [Propagator.Message] made no token.
var (
	// ErrNoActor: send the message without a token, or say who acts.
	ErrNoActor = errors.New("propagation: nobody acts in the context: otelaudit.ContextWithActor says who does")
	// ErrNoKey: no key is within its time, may speak for this service and signs for the audience.
	ErrNoKey = errors.New("propagation: no key of the keyring can sign at this time: give it one with private material")

	errChain    = errors.New("propagation: the actor acts for itself, or for more others than can be: look at OnBehalfOf")
	errTooLong  = errors.New("propagation: the actor's ids, the tenant or the operation are too long for a token")
	errUnusable = errors.New("propagation: the actor's ids, the tenant or the operation hold control characters or no UTF-8")
)

// errMalformed is the fault of a payload that is not one. What it is in particular nobody needs to know but its maker, who
// has signed it.
var errMalformed = errors.New("propagation: malformed payload")

// newClaims returns what ctx says of who acts, and for what. The trace, and what belongs to a message, is the caller's to
// fill in; issued and nonce are the key's.
func newClaims(ctx context.Context, kind kind, issuer, audience string, lifetime time.Duration, names bool) (*claimSet, error) {
	actor, _ := otelaudit.ActorFromContext(ctx)
	if actor.Type == otelaudit.ActorUnknown || actor.IsZero() {
		return nil, ErrNoActor
	}
	c := &claimSet{kind: kind, issuer: issuer, audience: audience, lifetime: int64(lifetime / time.Second)}
	var ok bool
	if c.tenant, ok = otelaudit.TenantFromContext(ctx); !ok {
		c.tenant = actor.Tenant
	}
	c.operation, _ = otelaudit.OperationFromContext(ctx)
	reason, _ := otelaudit.ReasonFromContext(ctx)
	c.reason = line(reason, maxReasonBytes)

	var memory [maxChain]*otelaudit.Actor
	chain := memory[:0]
	for a := &actor; a != nil; a = a.OnBehalfOf {
		if len(chain) == maxChain {
			return nil, errChain
		}
		chain = append(chain, a)
	}
	if len(chain) > maxParties {
		chain = slices.Replace(chain, 2, len(chain)-2, &omitted)
	}
	c.parties = make([]party, 0, len(chain))
	for _, a := range chain {
		p := party{kind: a.Type, id: a.ID, method: line(a.AuthMethod, maxMethodBytes)}
		if p.isNobody() {
			p.id = "" // as it is recorded
		}
		if names {
			p.name = line(a.Name, maxNameBytes)
		}
		c.parties = append(c.parties, p)
	}
	return c, nil
}

// maxChain is how many parties newClaims looks at: a chain that goes on may be a circle.
const maxChain = 64

// omitted stands in a token, and so in records, for the parties that it has no room for: those between the two who acted last
// and the two who began it.
var omitted = otelaudit.Actor{Type: otelaudit.ActorUnknown, AuthMethod: "omitted"}

// line returns s as one line of at most limit bytes. What people type, or others call themselves, must not be able to keep
// an actor out of a token.
func line(s string, limit int) string {
	if usable(s) && len(s) <= limit {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if hides(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= limit {
		return s
	}
	const ellipsis = "…"
	end := limit - len(ellipsis)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// usable reports whether s is UTF-8 without characters that hide something.
func usable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' { // rare: not printable ASCII
			return utf8.ValidString(s) && !strings.ContainsFunc(s, hides)
		}
	}
	return true
}

// hides reports whether r could hide or reorder text: a control character, or one that embeds, overrides or isolates in
// Unicode's bidirectional algorithm. Records do not hold them either.
func hides(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func (p *party) isNobody() bool {
	return p.kind == otelaudit.ActorAnonymous || p.kind == otelaudit.ActorUnknown
}

// code returns the byte of p's type, 0 where p has none.
func (p *party) code() byte {
	for code := 1; code < len(partyTypes); code++ {
		if partyTypes[code] == p.kind {
			return byte(code)
		}
	}
	return 0
}

// validate says whether c may be a token: whoever makes one and whoever takes one asks it.
func (c *claimSet) validate() error {
	if c.issued < 0 || c.issued > maxUvarint || c.lifetime <= 0 || c.lifetime > maxUvarint ||
		c.issuer == "" || c.audience == "" || len(c.parties) == 0 || len(c.parties) > maxParties ||
		c.kind == kindMessage && c.trace.IsValid() != c.span.IsValid() {
		return errMalformed
	}
	for _, field := range [...]struct {
		text  string
		limit int
	}{
		{c.issuer, maxServiceBytes},
		{c.audience, maxServiceBytes},
		{c.tenant, maxIDBytes},
		{c.operation, maxIDBytes},
		{c.reason, maxReasonBytes},
	} {
		if err := check(field.text, field.limit); err != nil {
			return err
		}
	}
	if c.parties[0].kind == otelaudit.ActorUnknown {
		return ErrNoActor
	}
	for i := range c.parties {
		if err := c.parties[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

func (p *party) validate() error {
	if p.code() == 0 || p.isNobody() != (p.id == "") {
		return ErrNoActor
	}
	return cmp.Or(check(p.id, maxIDBytes), check(p.name, maxNameBytes), check(p.method, maxMethodBytes))
}

func check(s string, limit int) error {
	switch {
	case len(s) > limit:
		return errTooLong
	case !usable(s):
		return errUnusable
	}
	return nil
}

// append appends the payload to dst. c must be valid.
func (c *claimSet) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(c.issued))   //nolint:gosec // not negative
	dst = binary.AppendUvarint(dst, uint64(c.lifetime)) //nolint:gosec // not negative
	dst = append(dst, c.nonce[:]...)
	dst = append(dst, c.trace[:]...)
	if c.kind == kindMessage {
		dst = append(dst, c.span[:]...)
		dst = append(dst, c.message[:]...)
	}
	dst = appendText(dst, c.issuer)
	dst = appendText(dst, c.audience)
	dst = appendText(dst, c.tenant)
	dst = appendText(dst, c.operation)
	dst = appendText(dst, c.reason)
	dst = append(dst, byte(len(c.parties))) //nolint:gosec // at most five
	for i := range c.parties {
		p := &c.parties[i]
		dst = append(dst, p.code())
		dst = appendText(dst, p.id)
		dst = appendText(dst, p.name)
		dst = appendText(dst, p.method)
	}
	return dst
}

// digest is equal for claims that are equal but for issued and nonce.
func (c *claimSet) digest() digest {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	said := *c
	said.issued, said.nonce = 0, [nonceBytes]byte{}
	return sha256.Sum256(said.append(s.payload[:0]))
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// parseClaims reads into c the payload of a token of this kind. Nothing of payload is kept.
func parseClaims(kind kind, payload []byte, c *claimSet) error {
	r := reader{rest: string(payload)}
	c.kind = kind
	c.issued = r.number()
	c.lifetime = r.number()
	r.copy(c.nonce[:])
	r.copy(c.trace[:])
	if kind == kindMessage {
		r.copy(c.span[:])
		r.copy(c.message[:])
	}
	c.issuer = r.text()
	c.audience = r.text()
	c.tenant = r.text()
	c.operation = r.text()
	c.reason = r.text()
	c.parties = make([]party, r.byte())
	for i := range c.parties {
		p := &c.parties[i]
		if code := r.byte(); int(code) < len(partyTypes) {
			p.kind = partyTypes[code]
		}
		p.id = r.text()
		p.name = r.text()
		p.method = r.text()
	}
	if r.bad || r.rest != "" || c.validate() != nil {
		return errMalformed
	}
	return nil
}

// reader takes fields from the front of a payload. Once one is not there, or is not in its one encoding, reader is bad and
// everything further is zero.
type reader struct {
	rest string
	bad  bool
}

// take returns the next n bytes.
func (r *reader) take(n int64) string {
	if n > int64(len(r.rest)) {
		r.fail()
		return ""
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) fail() { r.rest, r.bad = "", true }

func (r *reader) copy(dst []byte) { copy(dst, r.take(int64(len(dst)))) }

func (r *reader) text() string { return r.take(r.number()) }

func (r *reader) byte() byte {
	if b := r.take(1); b != "" {
		return b[0]
	}
	return 0
}

// number reads a uvarint of at most six bytes that has no shorter form.
func (r *reader) number() int64 {
	var n int64
	for i := range min(len(r.rest), uvarintBytes) {
		b := r.rest[i]
		n |= int64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if b == 0 && i > 0 {
				break // a shorter one would do
			}
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.fail()
	return 0
}

// actor returns who acts, as the service that presented the token and the service that takes it see it: the issuer, on
// behalf of those whom the token names. An issuer that named itself is not doubled. The chain is new each time, for whoever gets
// it may change it.
func (c *claimSet) actor() otelaudit.Actor {
	own := otelaudit.Actor{Type: otelaudit.ActorService, ID: c.issuer, Tenant: c.tenant, AuthMethod: c.kind.authMethod(), Trust: otelaudit.TrustPropagated}
	parties := c.parties
	// What a message made it do was deferred, which must be seen at the next service, too.
	if subject := parties[0]; subject.kind == own.Type && subject.id == own.ID && subject.method != kindMessage.authMethod() {
		own.Name = subject.name
		parties = parties[1:]
	}
	chain := make([]otelaudit.Actor, len(parties))
	at := &own.OnBehalfOf
	for i, p := range parties {
		chain[i] = otelaudit.Actor{Type: p.kind, ID: p.id, Name: p.name, AuthMethod: p.method, Trust: otelaudit.TrustPropagated}
		*at, at = &chain[i], &chain[i].OnBehalfOf
	}
	return own
}
