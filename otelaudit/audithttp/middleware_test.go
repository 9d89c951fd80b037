package audithttp_test

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

func TestActor(t *testing.T) {
	t.Parallel()
	var (
		alice      = otelaudit.User("alice")
		propagated = otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bob", Trust: otelaudit.TrustPropagated}
		anonymous  = otelaudit.Anonymous()
		nobody     = actorOf(otelaudit.Actor{})
		failing    = func(*http.Request) (otelaudit.Actor, error) { return alice, errors.New("the secret reason") }
		onError    = []audithttp.Option{audithttp.WithAnonymousOnError()}
		allowing   = []audithttp.Option{audithttp.WithPropagated(func(_, from otelaudit.Actor) bool { return from.ID == "bob" })}
		refusing   = []audithttp.Option{audithttp.WithPropagated(func(own, from otelaudit.Actor) bool { return own.ID == from.ID })}
	)
	for name, tc := range map[string]struct {
		inContext otelaudit.Actor
		actor     func(*http.Request) (otelaudit.Actor, error)
		opts      []audithttp.Option
		want      otelaudit.Actor // zero: 401
	}{
		"no function":                       {want: otelaudit.Actor{Type: otelaudit.ActorUnknown}},
		"no function, propagated":           {inContext: propagated, want: propagated},
		"somebody":                          {actor: actorOf(alice), want: alice},
		"somebody wins over the propagated": {inContext: propagated, actor: actorOf(alice), want: alice},
		"nobody":                            {actor: nobody, want: anonymous},
		"nobody, propagated":                {inContext: propagated, actor: nobody, want: propagated},
		"error":                             {actor: failing},
		"error, propagated":                 {inContext: propagated, actor: failing},
		"error, goes on":                    {actor: failing, opts: onError, want: anonymous},
		"error, goes on, propagated":        {inContext: propagated, actor: failing, opts: onError, want: anonymous},
		"allowed":                           {inContext: propagated, actor: actorOf(alice), opts: allowing, want: alice.For(propagated)},
		"allowed, nobody propagated":        {actor: actorOf(alice), opts: allowing, want: alice},
		"allowed, but not propagated":       {inContext: otelaudit.User("bob"), actor: actorOf(alice), opts: allowing, want: alice},
		"allowed, for somebody already":     {inContext: propagated, actor: actorOf(alice.For(otelaudit.User("cy"))), opts: allowing, want: alice.For(otelaudit.User("cy"))},
		"allowed, the same party":           {inContext: propagated.For(otelaudit.User("cy")), actor: actorOf(otelaudit.User("bob")), opts: allowing, want: otelaudit.User("bob").For(otelaudit.User("cy"))},
		"allowed, nobody":                   {inContext: propagated, actor: nobody, opts: allowing, want: propagated},
		"allowed, no function":              {inContext: propagated, opts: allowing, want: propagated},
		"allowed, anonymous":                {inContext: propagated, actor: actorOf(anonymous), opts: allowing, want: anonymous},
		"allowed, error, goes on":           {inContext: propagated, actor: failing, opts: append(onError, allowing...), want: anonymous},
		"not allowed":                       {inContext: propagated, actor: actorOf(alice), opts: refusing, want: alice},
		"nil allows nothing":                {inContext: propagated, actor: actorOf(alice), opts: []audithttp.Option{audithttp.WithPropagated(nil)}, want: alice},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			resp := get(t, m.into(audithttp.NewMiddleware(tc.actor, tc.opts...)(tracking())), "/", func(r *http.Request) {
				if !tc.inContext.IsZero() {
					*r = *r.WithContext(otelaudit.ContextWithActor(r.Context(), tc.inContext))
				}
			})
			if tc.want.IsZero() {
				require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, "Unauthorized\n", string(body))
				require.NotContains(t, resp.Header, "Www-Authenticate")
				require.Empty(t, m.all(), "the handler was called")
				return
			}
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, tc.want, m.only(t).Actor)
		})
	}
}

func TestUnauthorized(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such session")
	failing := func(*http.Request) (otelaudit.Actor, error) { return otelaudit.Actor{}, cause }
	m := newMemory(t)
	h := audithttp.NewMiddleware(failing, audithttp.WithChallenge("Bearer"), audithttp.WithChallenge(`Basic realm="x"`),
		audithttp.WithUnauthorized(func(w http.ResponseWriter, r *http.Request, err error) {
			require.ErrorIs(t, err, cause)
			require.NoError(t, otelaudit.Track(r.Context(), otelaudit.Activity{Action: "access.refuse", Err: otelaudit.ErrDenied}))
			w.WriteHeader(http.StatusTeapot)
		}))(http.NotFoundHandler())
	resp := get(t, m.into(h), "/x", func(r *http.Request) {
		*r = *r.WithContext(otelaudit.ContextWithActor(r.Context(), otelaudit.Actor{Type: otelaudit.ActorUser, ID: "bob", Trust: otelaudit.TrustPropagated}))
	})
	require.Equal(t, http.StatusTeapot, resp.StatusCode)
	require.Equal(t, []string{"Bearer", `Basic realm="x"`}, resp.Header.Values("WWW-Authenticate"))
	record := m.only(t)
	require.Equal(t, otelaudit.Anonymous(), record.Actor, "who failed to authenticate is nobody")
	require.Equal(t, "/x", record.Request.Path)
	require.Equal(t, "192.0.2.1", record.Request.ClientAddress)
}

// What tracks rejections is asked once the actor is known, and before anybody else; its error ends the request.
func TestRejectionsTracked(t *testing.T) {
	t.Parallel()
	failing := func(*http.Request) (otelaudit.Actor, error) { return otelaudit.Actor{}, errors.New("no such session") }
	for name, tc := range map[string]struct {
		actor  func(*http.Request) (otelaudit.Actor, error)
		want   otelaudit.Actor
		status int
	}{
		"somebody":    {actorOf(otelaudit.User("alice")), otelaudit.User("alice"), http.StatusNotFound},
		"error":       {failing, otelaudit.Anonymous(), http.StatusUnauthorized},
		"no function": {nil, otelaudit.Actor{}, http.StatusNotFound},
	} {
		for _, unrecorded := range []error{nil, otelaudit.ErrTimeout} {
			asked := 0
			track := func(ctx context.Context) error {
				asked++
				actor, _ := otelaudit.ActorFromContext(ctx)
				require.Equal(t, tc.want, actor, name)
				request, _ := otelaudit.RequestFromContext(ctx)
				require.Equal(t, "/x", request.Path)
				return unrecorded
			}
			h := audithttp.NewMiddleware(tc.actor, audithttp.WithChallenge("Bearer"), audithttp.WithRejectionsTracked(track))(http.NotFoundHandler())
			resp := get(t, h, "/x", func(*http.Request) {})
			require.Equal(t, 1, asked)
			if unrecorded == nil {
				require.Equal(t, tc.status, resp.StatusCode, name)
				continue
			}
			require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, name)
			require.Empty(t, resp.Header.Values("WWW-Authenticate"))
		}
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	get(t, m.into(audithttp.NewMiddleware(nil)(tracking())), "/invoices/42?token=secret", func(r *http.Request) {
		r.Header.Set("User-Agent", "curl/8")
		r.Header.Set("X-Request-Id", "req-7")
		r.Header.Set("X-Forwarded-For", "198.51.100.9")
		r.Header.Set("Authorization", "Bearer secret")
	})
	require.Equal(t, otelaudit.Request{
		Method:        "GET",
		Path:          "/invoices/42",
		ClientAddress: "192.0.2.1",
		PeerAddress:   "192.0.2.1",
		UserAgent:     "curl/8",
		ID:            "req-7",
	}, m.only(t).Request)
}

func TestWithPath(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	redact := func(r *http.Request) string {
		if strings.HasPrefix(r.URL.Path, "/reset/") {
			return "/reset/…"
		}
		return r.URL.Path
	}
	h := m.into(audithttp.NewMiddleware(nil, audithttp.WithPath(redact))(tracking()))
	get(t, h, "/reset/secret")
	require.Equal(t, "/reset/…", m.only(t).Request.Path)
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	fixed := audithttp.WithRequestID(func(*http.Request) string { return "mine" })
	for name, tc := range map[string]struct {
		headers []string
		opts    []audithttp.Option
		want    string
	}{
		"none":           {},
		"one":            {headers: []string{"a-b_c.d:e/f+g="}, want: "a-b_c.d:e/f+g="},
		"longest":        {headers: []string{strings.Repeat("a", 128)}, want: strings.Repeat("a", 128)},
		"too long":       {headers: []string{strings.Repeat("a", 129)}},
		"two":            {headers: []string{"a", "b"}},
		"space":          {headers: []string{"a b"}},
		"control":        {headers: []string{"a\x1b[2J"}},
		"not ASCII":      {headers: []string{"ä"}},
		"own function":   {headers: []string{"theirs"}, opts: []audithttp.Option{fixed}, want: "mine"},
		"none wanted":    {headers: []string{"theirs"}, opts: []audithttp.Option{audithttp.WithRequestID(nil)}},
		"empty is no id": {headers: []string{""}},
		"delete":         {headers: []string{"\x7f"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			get(t, m.into(audithttp.NewMiddleware(nil, tc.opts...)(tracking())), "/", func(r *http.Request) {
				r.Header["X-Request-Id"] = tc.headers
			})
			require.Equal(t, tc.want, m.only(t).Request.ID)
		})
	}
}

func TestClientBehindProxy(t *testing.T) {
	t.Parallel()
	trust := audithttp.WithTrustedProxies(netip.MustParsePrefix("10.0.0.0/8"))
	alsoTrust := audithttp.WithTrustedProxies(netip.MustParsePrefix("2001:db8::/64"))
	for name, tc := range map[string]struct {
		remote, client, peer string
		opts                 []audithttp.Option
	}{
		"trusted":               {"10.0.0.1:5", "198.51.100.9", "10.0.0.1", []audithttp.Option{trust}},
		"prefixes add up":       {"[2001:db8::1]:5", "198.51.100.9", "2001:db8::1", []audithttp.Option{trust, alsoTrust}},
		"not trusted":           {"192.0.2.1:5", "192.0.2.1", "192.0.2.1", []audithttp.Option{trust}},
		"nobody trusted":        {"10.0.0.1:5", "10.0.0.1", "10.0.0.1", nil},
		"Unix socket":           {"@", "", "", []audithttp.Option{trust}},
		"unnamed Unix socket":   {"", "", "", []audithttp.Option{trust}},
		"Unix socket of a path": {"/run/proxy.sock", "", "", []audithttp.Option{trust}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			get(t, m.into(audithttp.NewMiddleware(nil, tc.opts...)(tracking())), "/", func(r *http.Request) {
				r.RemoteAddr = tc.remote
				r.Header["X-Forwarded-For"] = []string{"203.0.113.66, 198.51.100.9", "10.9.9.9"}
			})
			q := m.only(t).Request
			require.Equal(t, tc.client, q.ClientAddress)
			require.Equal(t, tc.peer, q.PeerAddress)
		})
	}
}

// Who connects to a Unix socket may give its own end a name that looks like an address.
func TestAPeerOfAUnixSocketHasNoAddress(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	server := m.into(audithttp.NewMiddleware(nil, audithttp.WithTrustedProxies(netip.MustParsePrefix("10.0.0.0/8")))(tracking()))
	local := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.UnixAddr{Net: "unix", Name: "/run/api.sock"})
	r := httptest.NewRequestWithContext(local, http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = "10.0.0.1:80"
	r.Header.Set("X-Forwarded-For", "203.0.113.66")
	server.ServeHTTP(httptest.NewRecorder(), r)
	require.Empty(t, m.only(t).Request.PeerAddress)
	require.Empty(t, m.only(t).Request.ClientAddress)
}

func TestWithForwardedHeader(t *testing.T) {
	t.Parallel()
	const none = ""
	for name, tc := range map[string]struct {
		headers                  []audithttp.ForwardedHeader
		xForwardedFor, forwarded string
		want                     string
	}{
		"X-Forwarded-For by default":      {nil, "198.51.100.9", "for=203.0.113.66", "198.51.100.9"},
		"X-Forwarded-For":                 {[]audithttp.ForwardedHeader{audithttp.XForwardedFor}, "198.51.100.9", "for=203.0.113.66", "198.51.100.9"},
		"Forwarded":                       {[]audithttp.ForwardedHeader{audithttp.Forwarded}, "203.0.113.66", `for="198.51.100.9:4711"`, "198.51.100.9"},
		"the last option":                 {[]audithttp.ForwardedHeader{audithttp.XForwardedFor, audithttp.Forwarded}, "203.0.113.66", "for=198.51.100.9", "198.51.100.9"},
		"the other one is not looked at":  {[]audithttp.ForwardedHeader{audithttp.Forwarded}, "203.0.113.66", none, "192.0.2.1"},
		"nor by default":                  {nil, none, "for=203.0.113.66", "192.0.2.1"},
		"nor where the one is unreadable": {[]audithttp.ForwardedHeader{audithttp.Forwarded}, "203.0.113.66", "for=unknown", "192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			opts := []audithttp.Option{audithttp.WithTrustedProxies(netip.MustParsePrefix("192.0.2.0/24"))}
			for _, h := range tc.headers {
				opts = append(opts, audithttp.WithForwardedHeader(h))
			}
			get(t, m.into(audithttp.NewMiddleware(nil, opts...)(tracking())), "/", func(r *http.Request) {
				for header, value := range map[string]string{"X-Forwarded-For": tc.xForwardedFor, "Forwarded": tc.forwarded} {
					if value != none {
						r.Header.Set(header, value)
					}
				}
			})
			q := m.only(t).Request
			require.Equal(t, tc.want, q.ClientAddress)
			require.Equal(t, "192.0.2.1", q.PeerAddress)
		})
	}
}

// Options cannot return an error: what is wrong in them is reported, and believes nobody.
func TestWrongOptionsTrustNobody(t *testing.T) { //nolint:paralleltest // the error handler is the process's
	var reported []string
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { reported = append(reported, err.Error()) }))
	defer otel.SetErrorHandler(before)
	clientWith := func(opts ...audithttp.Option) string {
		m := newMemory(t)
		get(t, m.into(audithttp.NewMiddleware(nil, opts...)(tracking())), "/", func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "198.51.100.9")
			r.Header.Set("Forwarded", "for=198.51.100.9")
		})
		return m.only(t).Request.ClientAddress
	}
	require.Equal(t, "192.0.2.1", clientWith(audithttp.WithTrustedProxies(netip.Prefix{})))
	require.Len(t, reported, 1)
	require.Contains(t, reported[0], "invalid Prefix in [invalid Prefix] trusts nobody")
	require.Equal(t, "192.0.2.1", clientWith(audithttp.WithTrustedProxies(netip.MustParsePrefix("192.0.2.0/24")), audithttp.WithForwardedHeader(2)))
	require.Len(t, reported, 2)
	require.Contains(t, reported[1], "WithForwardedHeader: 2 reads no header")
}

// writer is comparable, and not what httptest or net/http hands out.
type writer struct{ http.ResponseWriter }

func TestResponseWriterIsPassedOnAsItIs(t *testing.T) {
	t.Parallel()
	given := &writer{httptest.NewRecorder()}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	failing := func(*http.Request) (otelaudit.Actor, error) { return otelaudit.Actor{}, errors.New("no") }
	var got []http.ResponseWriter
	keep := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { got = append(got, w) })
	answer := audithttp.WithUnauthorized(func(w http.ResponseWriter, r *http.Request, _ error) { keep(w, r) })
	for _, mw := range []middleware{
		audithttp.NewMiddleware(nil),
		audithttp.NewMiddleware(actorOf(otelaudit.User("alice"))),
		audithttp.NewMiddleware(failing, answer),
	} {
		mw(keep).ServeHTTP(given, r)
	}
	require.Equal(t, []http.ResponseWriter{given, given, given}, got)
	for _, w := range got {
		require.Same(t, given, w)
	}
}

func TestActorFunctionSeesTheFacts(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	check := func(ctx context.Context, user, _ string) (otelaudit.Actor, error) {
		err := errors.New("wrong password")
		require.NoError(t, otelaudit.TrackLoginFailed(ctx, user, "basic", err))
		return otelaudit.Actor{}, err
	}
	resp := get(t, m.into(audithttp.NewMiddleware(audithttp.BasicAuth(check))(tracking())), "/", func(r *http.Request) {
		r.SetBasicAuth("alice", "guess")
	})
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.Equal(t, "192.0.2.1", m.only(t).Request.ClientAddress)
}

func TestPanicsPassThrough(t *testing.T) {
	t.Parallel()
	serve := func(actor func(*http.Request) (otelaudit.Actor, error), next http.Handler) func() {
		h := audithttp.NewMiddleware(actor)(next)
		return func() {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		}
	}
	require.PanicsWithValue(t, http.ErrAbortHandler, serve(nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})))
	require.PanicsWithValue(t, "actor", serve(func(*http.Request) (otelaudit.Actor, error) { panic("actor") }, tracking()))
}

// What handlers leave in the request must arrive outside, or net/http leaks the temporary files of uploads.
func TestRequestIsGivenBack(t *testing.T) {
	t.Parallel()
	parse := func(r *http.Request) {
		require.NoError(t, r.ParseMultipartForm(1))
		require.NotNil(t, r.MultipartForm)
	}
	handler := func(then func()) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /upload/{id}", func(_ http.ResponseWriter, r *http.Request) {
			parse(r)
			then()
		})
		return mux
	}
	for name, tc := range map[string]struct {
		h       http.Handler
		pattern string
	}{
		"returned": {audithttp.NewMiddleware(actorOf(otelaudit.User("alice")))(handler(func() {})), "POST /upload/{id}"},
		"panicked": {audithttp.NewMiddleware(nil)(handler(func() { panic("handler") })), "POST /upload/{id}"},
		"refused": {audithttp.NewMiddleware(func(r *http.Request) (otelaudit.Actor, error) {
			parse(r)
			return otelaudit.Actor{}, audithttp.ErrUnauthenticated
		})(http.NotFoundHandler()), ""},
		"panicked early": {audithttp.NewMiddleware(func(r *http.Request) (otelaudit.Actor, error) {
			parse(r)
			panic("actor")
		})(http.NotFoundHandler()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, contentType := upload(t)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload/7", body)
			r.Header.Set("Content-Type", contentType)
			func() {
				defer func() { _ = recover() }()
				tc.h.ServeHTTP(httptest.NewRecorder(), r)
			}()
			require.NotNil(t, r.MultipartForm)
			require.NoError(t, r.MultipartForm.RemoveAll())
			require.Equal(t, tc.pattern, r.Pattern)
		})
	}
}

func upload(t *testing.T) (body io.Reader, contentType string) {
	t.Helper()
	var b strings.Builder
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "a.txt")
	require.NoError(t, err)
	_, err = io.WriteString(part, strings.Repeat("x", 64))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return strings.NewReader(b.String()), w.FormDataContentType()
}
