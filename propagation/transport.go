package propagation

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Transport is an [http.RoundTripper] that says for whom a request is, so that [Propagator.Inject] makes a token for exactly
// that service.
//
//	base := otelhttp.NewTransport(propagation.HideToken(http.DefaultTransport))
//	transport, err := propagation.NewTransport(base, map[string]string{"https://orders.internal:8443": "orders"})
//	client := &http.Client{Transport: transport}
//
// It is safe for concurrent use.
type Transport struct {
	base      http.RoundTripper
	audiences map[origin]string
}

var _ http.RoundTripper = (*Transport)(nil)

// NewTransport returns a Transport for the services that audiences names by their origin: scheme, host and port
// ("https://orders.internal:8443"), of which the port may be missing where it is the scheme's own. base is usually
// otelhttp.NewTransport's, which injects; without something that injects there is no token. Below it goes [HideToken], or what
// traces requests with net/http/httptrace writes tokens down. Nothing stands between otelhttp's transport and this one:
// the first who injects with the request's context has the token, and a transport that fetches a credential with it would be
// that. Such a transport goes below otelhttp's, or around this one. Where otelhttp.WithFilter lets a request pass by, what is
// below must not send requests of its own with its context.
//
// Only a request to one of these origins gets a token. Origins are compared as RFC 6454 has it, and no further: a host that
// is written differently (with a dot at its end, as another form of the same address) is another one, and so is a request
// whose Host is not that of its URL. A redirect is a request of its own.
//
// Behind "http" there is no proof of who answers, and everybody on the way can read the token.
func NewTransport(base http.RoundTripper, audiences map[string]string) (*Transport, error) {
	if base == nil {
		return nil, errors.New("propagation: NewTransport: base is nil: use otelhttp.NewTransport(propagation.HideToken(http.DefaultTransport))")
	}
	t := &Transport{base: base, audiences: make(map[origin]string, len(audiences))}
	for text, audience := range audiences {
		o, err := parseOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("propagation: NewTransport: %w", err)
		}
		if err := checkService(audience); err != nil {
			return nil, fmt.Errorf("propagation: NewTransport: the audience of %s %w", o, err)
		}
		if other, ok := t.audiences[o]; ok && other != audience {
			return nil, fmt.Errorf("propagation: NewTransport: %s has two audiences, %q and %q: leave one", o, audience, other)
		}
		t.audiences[o] = audience
	}
	return t, nil
}

// RoundTrip implements [http.RoundTripper]. It names r's audience to the base, or none where r's origin is not listed,
// whatever r's context says. A token in r's header, as a reverse proxy passes it on, is taken out: it was meant for this service.
// The response's Request is r, which has neither the token that was sent nor its audience.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := r.WithContext(ContextWithAudience(r.Context(), t.audience(r)))
	inner.Header = withoutToken(r.Header)
	resp, err := t.base.RoundTrip(inner)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

func (t *Transport) audience(r *http.Request) string {
	if r.URL == nil {
		return ""
	}
	o, ok := originOf(r.URL)
	if !ok {
		return ""
	}
	// A proxy in front of several services goes by Host, which need not be where the connection goes.
	if r.Host != "" && r.Host != r.URL.Host {
		if host, ok := originOf(&url.URL{Scheme: r.URL.Scheme, Host: r.Host}); !ok || host != o {
			return ""
		}
	}
	return t.audiences[o]
}

// origin is that of RFC 6454, in lower case and with its port.
type origin struct{ scheme, host, port string }

// String returns the origin as it is written in a URL.
func (o origin) String() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return o.scheme + "://" + host + ":" + o.port
}

// parseOrigin reads one that a person wrote. Errors do not repeat it: there may be a password in it.
func parseOrigin(s string) (origin, error) {
	u, err := url.Parse(s)
	if err != nil {
		return origin{}, errors.New("an origin is no URL: write \"https://host:port\"")
	}
	o, ok := originOf(u)
	switch {
	case !ok:
		return origin{}, fmt.Errorf("%q with host %q is no origin: write \"https://host:port\", with http or https and a host in ASCII", u.Scheme, u.Host)
	case u.User != nil, u.Path != "", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return origin{}, fmt.Errorf("%s has more than an origin: leave out user, path, query and fragment", o)
	}
	return o, nil
}

// originOf reports false for what is no origin of HTTP, or has a host that is not plain ASCII.
func originOf(u *url.URL) (origin, bool) {
	host, ok := lowerASCII(u.Hostname())
	if !ok || host == "" {
		return origin{}, false
	}
	o := origin{host: host, port: u.Port()}
	if o.scheme, ok = lowerASCII(u.Scheme); !ok {
		return origin{}, false
	}
	switch {
	case o.scheme != "http" && o.scheme != "https":
		return origin{}, false
	case o.port != "":
	case o.scheme == "http":
		o.port = "80"
	default:
		o.port = "443"
	}
	return o, true
}

// lowerASCII lower-cases s, and reports false where s is not ASCII: Unicode has letters whose lower case is ASCII.
func lowerASCII(s string) (string, bool) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return "", false
		}
	}
	return strings.ToLower(s), true
}
