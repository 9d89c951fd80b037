package audithttp

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"go.opentelemetry.io/otel"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// Option changes what [NewMiddleware] makes.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	route            func(*http.Request) string // nil: Request.Pattern
	path             func(*http.Request) string // nil: URL.Path
	requestID        func(*http.Request) string // nil: none
	trusted          trustedProxies
	forwarded        forwarding
	propagated       func(own, propagated otelaudit.Actor) bool // nil: never on behalf of the propagated actor
	anonymousOnError bool
	challenges       []string
	unauthorized     func(http.ResponseWriter, *http.Request, error)
	trackRejection   func(context.Context) error // nil: nothing is tracked
}

func newConfig(opts []Option) config {
	c := config{requestID: requestIDHeader}
	c.forwarded, _ = XForwardedFor.forwarding()
	for _, o := range opts {
		o.apply(&c)
	}
	if c.unauthorized == nil {
		c.unauthorized = plainUnauthorized
	}
	return c
}

// WithRoute gives the route of a request whose router does not write Request.Pattern. pattern gets the request that the
// middleware passed on. It is called each time an activity is tracked, and once when the handler has returned; never
// twice at once for one request. It must not track. Where it returns "", Request.Pattern counts.
//
//	audithttp.WithRoute(func(r *http.Request) string { return chi.RouteContext(r.Context()).RoutePattern() })
//
// is chi's, for versions that do not write Request.Pattern.
func WithRoute(pattern func(*http.Request) string) Option {
	return optionFunc(func(c *config) { c.route = pattern })
}

// WithPath gives the path that is recorded, for paths with secrets in them ("/reset/TOKEN"). Defaults to URL.Path. path is
// called for each request, before it is routed.
func WithPath(path func(*http.Request) string) Option {
	return optionFunc(func(c *config) { c.path = path })
}

// WithRequestID gives the id of a request; "" is none, and a nil function means that no request has one. Defaults to the
// header X-Request-Id where there is exactly one, of at most 128 bytes of ASCII without spaces: a claim, like the user
// agent. id is called for each request, before the actor function.
func WithRequestID(id func(*http.Request) string) Option {
	return optionFunc(func(c *config) { c.requestID = id })
}

// WithTrustedProxies names the addresses of proxies that append the address of whom they serve to X-Forwarded-For, or to
// the header that [WithForwardedHeader] names. Where the peer is one of them, the client is the right-most address in that
// header that is not; where all are, the left-most. The lines of the header count as one. From the first entry on that is not
// an address, counted from the right, or after 64 entries, nothing is believed: the client is then the last proxy before it.
//
// Without this option, and for peers that are not named, the header is ignored. Peers of a Unix socket have no address, so
// they cannot be named, and no client address is recorded for them.
//
// Prefixes of several options add up. One that is invalid trusts nobody, and is reported to OpenTelemetry's error handler.
func WithTrustedProxies(prefixes ...netip.Prefix) Option {
	for _, p := range prefixes {
		if !p.IsValid() {
			otel.Handle(fmt.Errorf("audithttp: WithTrustedProxies: %v in %v trusts nobody: use netip.ParsePrefix and look at its error", p, prefixes))
		}
	}
	prefixes = slices.DeleteFunc(slices.Clone(prefixes), func(p netip.Prefix) bool { return !p.IsValid() })
	return optionFunc(func(c *config) { c.trusted = c.trusted.and(prefixes) })
}

// WithForwardedHeader names the one header in which trusted proxies say whom they serve. Defaults to [XForwardedFor]. The
// other one is never looked at: proxies that know only one of the two pass on what a client wrote into the other.
//
// In [Forwarded], an address is the parameter "for" of an element. An element is not an address where it has none or two,
// where the client is "unknown" or obfuscated ("_hidden"), and where it breaks RFC 7239, as an IPv6 address without quotes and
// brackets does. A quote that the client left open takes nothing in that a proxy appended.
//
// The last of several options counts. A value that is none of the constants means no header, and is reported to
// OpenTelemetry's error handler.
func WithForwardedHeader(header ForwardedHeader) Option {
	f, ok := header.forwarding()
	if !ok {
		otel.Handle(fmt.Errorf("audithttp: WithForwardedHeader: %d reads no header: use audithttp.XForwardedFor or audithttp.Forwarded", header))
	}
	return optionFunc(func(c *config) { c.forwarded = f })
}

// WithPropagated asks allow whether own, the actor that the actor function returned, may act on behalf of the actor that
// another service propagated: own.OnBehalfOf is then the propagated actor, as [otelaudit.Actor.ForPropagated] says. Without
// it, or where allow returns false, own acts for itself, and the propagated actor is not recorded.
//
//	// Our services act for whom they say; nobody else does.
//	audithttp.WithPropagated(func(own, _ otelaudit.Actor) bool { return own.Type == otelaudit.ActorService })
//
// Where the actor function returned no actor, the propagated one acts, and allow is not asked.
func WithPropagated(allow func(own, propagated otelaudit.Actor) bool) Option {
	return optionFunc(func(c *config) { c.propagated = allow })
}

// WithAnonymousOnError lets a request go on whose actor function returned an error, as anonymous: also where another
// service propagated an actor, for who failed to authenticate is nobody. Without it the answer is 401.
func WithAnonymousOnError() Option {
	return optionFunc(func(c *config) { c.anonymousOnError = true })
}

// WithChallenge adds a WWW-Authenticate header to the 401, for example
//
//	audithttp.WithChallenge(`Basic realm="invoices", charset="UTF-8"`)
//
// RFC 9110 demands at least one of a 401, and only the caller knows the scheme. Several options add up.
func WithChallenge(challenge string) Option {
	return optionFunc(func(c *config) { c.challenges = append(c.challenges, challenge) })
}

// WithUnauthorized writes the answer to a request whose actor function returned err, instead of a plain 401 that does not
// show err. WithChallenge's headers are set already. In r's context the actor is anonymous, and the request is known: what
// answer tracks says where the attempt came from.
func WithUnauthorized(answer func(w http.ResponseWriter, r *http.Request, err error)) Option {
	return optionFunc(func(c *config) { c.unauthorized = answer })
}

// WithRejectionsTracked records a token in the request that was not accepted, by the actor of the request, also where the
// answer is 401. track is propagation.TrackRejection, or calls it: it gets the context of each request, with facts and actor,
// before the request goes on or is refused. Where it returns an error the answer is 503, and nothing else is called.
//
//	audithttp.WithRejectionsTracked(propagation.TrackRejection)
func WithRejectionsTracked(track func(context.Context) error) Option {
	return optionFunc(func(c *config) { c.trackRejection = track })
}

func plainUnauthorized(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
}
