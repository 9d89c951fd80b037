package propagation_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/metric/noop"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

// newPropagator returns that of a service in the trust group of all services here, with the clock as it is.
func newPropagator(t *testing.T, service string) *propagation.Propagator {
	t.Helper()
	key, err := propagation.HMACKey("group", secretOf("group"))
	require.NoError(t, err)
	keys, err := propagation.NewKeyring(key)
	require.NoError(t, err)
	p, err := propagation.New(propagation.Config{Service: service, Keys: keys, MeterProvider: noop.NewMeterProvider()})
	require.NoError(t, err)
	return p
}

// otelOptions are otelhttp's, with spans of their own and p behind TraceContext.
func otelOptions(p otelpropagation.TextMapPropagator, more ...otelhttp.Option) []otelhttp.Option {
	return append([]otelhttp.Option{
		otelhttp.WithTracerProvider(sdktrace.NewTracerProvider()),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithPropagators(otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, p)),
	}, more...)
}

// newClient returns a client of p's service that knows audiences by their origin.
func newClient(t *testing.T, p *propagation.Propagator, audiences map[string]string) *http.Client {
	t.Helper()
	base := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 64}
	t.Cleanup(base.CloseIdleConnections)
	transport, err := propagation.NewTransport(otelhttp.NewTransport(base, otelOptions(p)...), audiences)
	require.NoError(t, err)
	return &http.Client{Transport: transport}
}

// node is one service of a chain: it records what it does and calls the next one.
type node struct {
	name  string
	trail *audittest.Trail
	url   string
}

// startNode starts a service behind a real server. actor is its own authentication, nil for none; next may be nil.
func startNode(t *testing.T, name string, actor func(*http.Request) (otelaudit.Actor, error), next *node, wrap func(http.Handler) http.Handler) *node {
	t.Helper()
	n := &node{name: name, trail: audittest.New(t)}
	p := newPropagator(t, name)
	audiences := map[string]string{}
	if next != nil {
		audiences[next.url] = next.name
	}
	client := newClient(t, p, audiences)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{what}", func(w http.ResponseWriter, r *http.Request) {
		members := baggage.FromContext(r.Context()).Member("who")
		err := otelaudit.Track(r.Context(), otelaudit.Activity{
			Action: "work.do",
			Target: otelaudit.Target{Type: "baggage", ID: r.PathValue("what"), Name: members.Value()},
		})
		if err == nil && next != nil {
			err = call(r.Context(), client, next.url+r.URL.Path)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	h := otelhttp.NewHandler(audithttp.NewMiddleware(actor, audithttp.WithRejectionsTracked(propagation.TrackRejection))(mux), name, otelOptions(p)...)
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(into(n.trail, h))
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

// into puts trail into the context of h's requests.
func into(trail otelaudit.Trail, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(otelaudit.ContextWithTrail(r.Context(), trail)))
	})
}

// call gets url, with these header lines.
func call(ctx context.Context, client *http.Client, url string, headers ...http.Header) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	for _, h := range headers {
		for name, lines := range h {
			r.Header[name] = append(r.Header[name], lines...)
		}
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

// asUser is an authentication that believes a header.
func asUser(r *http.Request) (otelaudit.Actor, error) {
	if user := r.Header.Get("X-User"); user != "" {
		return otelaudit.Actor{Type: otelaudit.ActorUser, ID: user, AuthMethod: "oidc", Trust: otelaudit.TrustVerified}, nil
	}
	return otelaudit.Actor{}, nil
}

// outsider is a client of nobody's.
func outsider(t *testing.T) *http.Client {
	t.Helper()
	base := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: base}
}

// Five services in a row record alice, those in between, and one operation.
func TestChainOfFive(t *testing.T) {
	t.Parallel()
	services := []string{"edge", "orders", "stock", "billing", "ledger"}
	nodes := make([]*node, len(services))
	var next *node
	for i := len(services) - 1; i >= 0; i-- {
		var actor func(*http.Request) (otelaudit.Actor, error)
		var wrap func(http.Handler) http.Handler
		if i == 0 {
			actor, wrap = asUser, propagation.Edge
		}
		next = startNode(t, services[i], actor, next, wrap)
		nodes[i] = next
	}
	require.NoError(t, call(t.Context(), outsider(t), nodes[0].url+"/42", http.Header{"X-User": {"alice"}, "Baggage": {"who=al%20ice"}}))

	var operation string
	for i, n := range nodes {
		records := n.trail.Records()
		require.Len(t, records, 1, n.name)
		r := records[0]
		require.Equal(t, "al ice", r.Target.Name)
		want := []string{"user alice oidc"}
		for _, service := range services[:i] {
			want = append([]string{"service " + service + " actor_token"}, want...)
		}
		var got []string
		trust := otelaudit.TrustVerified
		if i > 0 {
			trust = otelaudit.TrustPropagated
		}
		for a := &r.Actor; a != nil; a = a.OnBehalfOf {
			got = append(got, string(a.Type)+" "+a.ID+" "+a.AuthMethod)
			require.Equal(t, trust, a.Trust)
		}
		// A token names the issuer once: how those before proved themselves is what their receivers saw.
		require.Equal(t, want, got, n.name)
		if i == 0 {
			operation = r.Operation
			require.NotEmpty(t, operation)
		}
		require.Equal(t, operation, r.Operation)
		require.Equal(t, nodes[0].trail.Records()[0].TraceID, r.TraceID)
	}
}

// 64 people at once, each with baggage of their own, through two hops: nobody is mistaken for another.
func TestNobodyIsMistakenForAnother(t *testing.T) {
	t.Parallel()
	const people, requests = 64, 8
	billing := startNode(t, "billing", nil, nil, nil)
	orders := startNode(t, "orders", nil, billing, nil)
	edge := startNode(t, "edge", asUser, orders, propagation.Edge)
	client := outsider(t)
	var wg sync.WaitGroup
	failures := make(chan error, people)
	for i := range people {
		user := fmt.Sprintf("user-%02d", i)
		wg.Go(func() {
			var err error
			for range requests {
				err = errors.Join(err, call(t.Context(), client, edge.url+"/"+user, http.Header{"X-User": {user}, "Baggage": {"who=" + user}}))
			}
			failures <- err
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	operations := map[string]string{}
	for _, n := range []*node{edge, orders, billing} {
		records := n.trail.Records()
		require.Len(t, records, people*requests, n.name)
		for _, r := range records {
			subject := r.Actor
			for subject.OnBehalfOf != nil {
				subject = *subject.OnBehalfOf
			}
			require.Equal(t, r.Target.ID, subject.ID, n.name)
			require.Equal(t, r.Target.ID, r.Target.Name, "the baggage is theirs, too")
			if n == edge {
				operations[r.Operation] = subject.ID
			}
			require.Equal(t, subject.ID, operations[r.Operation])
		}
	}
	require.Len(t, operations, people*requests)
}

// received is what a server was sent.
type received struct {
	mu      sync.Mutex
	headers []http.Header
}

func (rc *received) add(h http.Header) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.headers = append(rc.headers, h.Clone())
}

// only returns the headers of the one request there was.
func (rc *received) only(t *testing.T) http.Header {
	t.Helper()
	rc.mu.Lock()
	defer rc.mu.Unlock()
	require.Len(t, rc.headers, 1)
	return rc.headers[0]
}

// A redirect is a request of its own: only a listed origin gets a token, and one of its own.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var at [3]received
	targets := make(chan string, 1)
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at[0].add(r.Header)
		http.Redirect(w, r, <-targets, http.StatusFound)
	}))
	t.Cleanup(redirecting.Close)
	listed := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { at[1].add(r.Header) }))
	t.Cleanup(listed.Close)
	unlisted := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { at[2].add(r.Header) }))
	t.Cleanup(unlisted.Close)

	client := newClient(t, newPropagator(t, "edge"), map[string]string{
		redirecting.URL: "orders",
		listed.URL:      "billing",
		// The host and the port of what is not listed, but not its scheme.
		strings.Replace(unlisted.URL, "https:", "http:", 1): "ledger",
	})
	ctx := otelaudit.ContextWithActor(withBaggage(t, t.Context(), "a=1"), otelaudit.User("alice"))
	// An audience that somebody has left in the context is for nobody.
	ctx = propagation.ContextWithAudience(ctx, "left behind")
	for i, target := range []string{listed.URL, unlisted.URL} {
		targets <- target
		require.NoError(t, call(ctx, client, redirecting.URL))
		token, others := tokenOf(t, at[0].only(t)["Baggage"]...)
		require.NotEmpty(t, token)
		require.Equal(t, []string{"a=1"}, others)
		at[0].headers = nil

		second, others := tokenOf(t, at[1+i].only(t)["Baggage"]...)
		require.Equal(t, []string{"a=1"}, others)
		require.NotEqual(t, token, second)
		require.Equal(t, target == listed.URL, second != "")
		if second != "" {
			got := newPropagator(t, "billing").Extract(t.Context(), otelpropagation.HeaderCarrier(at[1].only(t)))
			actor, _ := otelaudit.ActorFromContext(got)
			require.Equal(t, "edge", actor.ID)
		}
	}
}

// A reverse proxy hands on the headers that came in. Our member is not among them, be there an audience or not.
func TestProxiedHeadersDoNotCarryTheToken(t *testing.T) {
	t.Parallel()
	var at received
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { at.add(r.Header) }))
	t.Cleanup(target.Close)
	client := newClient(t, newPropagator(t, "orders"), nil)
	in := http.Header{"Baggage": {"a=1", "otelaudit.actor=stale", "b= 2 ;p"}}
	require.NoError(t, call(t.Context(), client, target.URL, in))
	require.Equal(t, []string{"a=1", "b= 2 ;p"}, at.only(t)["Baggage"])
	require.Equal(t, []string{"a=1", "otelaudit.actor=stale", "b= 2 ;p"}, in["Baggage"], "the caller's header stays")
}

// WithPublicEndpointFn stops traces and not baggage: a token that somebody found goes no further than the edge.
func TestEdgeStopsATokenThatSomebodyFound(t *testing.T) {
	t.Parallel()
	for name, public := range map[string][]otelhttp.Option{
		"public": {otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true })},
		"plain":  nil,
	} {
		for _, edge := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, edge: %v", name, edge), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "orders")
				trail := audittest.New(t)
				var at received
				h := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					at.add(r.Header)
					if err := otelaudit.Track(r.Context(), otelaudit.Activity{Action: "work.do", Target: otelaudit.Target{Name: baggage.FromContext(r.Context()).String()}}); err != nil {
						http.Error(rw, err.Error(), http.StatusInternalServerError)
					}
				}))
				h = otelhttp.NewHandler(audithttp.NewMiddleware(asUser)(propagation.TrackRejected(h)), "orders", otelOptions(w, public...)...)
				if edge {
					h = propagation.Edge(h)
				}
				server := httptest.NewServer(into(trail, h))
				t.Cleanup(server.Close)
				token := genuine().signed()
				require.NoError(t, call(t.Context(), outsider(t), server.URL, http.Header{
					"Traceparent": {forgeryTraceparent},
					"Baggage":     {"a=%2C ;p=q", ours + token},
				}))
				records := trail.Records()
				require.Len(t, records, 1)
				require.Equal(t, "a=%2C;p=q", records[0].Target.Name)
				if !edge { // what the edge is for
					require.Equal(t, "edge", records[0].Actor.ID)
					return
				}
				require.Equal(t, otelaudit.ActorAnonymous, records[0].Actor.Type)
				require.Equal(t, []string{"a=%2C ;p=q"}, at.only(t)["Baggage"])
				require.NotEqual(t, "op-1", records[0].Operation)
				require.Empty(t, w.counts(t, extractedMetric))
			})
		}
	}
}

// attacked is the service orders behind a real server: its propagator, what it has recorded, and what it has answered.
type attacked struct {
	world
	trail   *audittest.Trail
	address string
}

func startAttacked(t *testing.T) attacked {
	t.Helper()
	w := newWorld(t, "orders")
	trail := audittest.New(t)
	mux := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // and so the trailers
		err := otelaudit.Track(r.Context(), otelaudit.Activity{
			Action: "invoice.read",
			Target: otelaudit.Target{Name: baggage.FromContext(r.Context()).String()},
		})
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
	})
	server := httptest.NewUnstartedServer(into(trail, otelhttp.NewHandler(audithttp.NewMiddleware(asUser)(propagation.TrackRejected(mux)), "orders", otelOptions(w)...)))
	server.Start()
	t.Cleanup(server.Close)
	return attacked{w, trail, server.Listener.Addr().String()}
}

// send writes request to the server as it is, and returns the status and what came behind it.
func (a attacked) send(t *testing.T, request string) (status int, answer string) {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", a.address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, fmt.Sprint(resp.Header, string(body))
}

// requireAnonymous looks at what was recorded of one request: the rejection, where there is one, and what the handler did.
func (a attacked) requireAnonymous(t *testing.T, name string, records []*otelaudit.Record, want propagation.Rejection) {
	t.Helper()
	if want != "" {
		require.Len(t, records, 2, name)
		r := records[0]
		require.Equal(t, "otelaudit.actor_token.reject", r.Action)
		require.Equal(t, otelaudit.Denied, r.Outcome)
		require.Equal(t, "127.0.0.1", r.Request.PeerAddress)
		require.Len(t, r.Metadata, 1)
		require.Equal(t, "reason", string(r.Metadata[0].Key))
		require.Equal(t, string(want), r.Metadata[0].Value.AsString(), name)
	} else {
		require.Len(t, records, 1, name)
	}
	for _, r := range records {
		require.Equal(t, otelaudit.Anonymous(), r.Actor, name)
		require.Empty(t, r.Operation, name)
		require.Empty(t, r.Tenant, name)
		require.Empty(t, r.Reason, name)
	}
	require.Equal(t, "invoice.read", records[len(records)-1].Action)
}

// The corpus once more, byte for byte over a connection, in front of a service that records. What net/http does not let
// through is answered with 400 and never seen.
func TestForgeriesOverHTTP(t *testing.T) {
	t.Parallel()
	corpus := readForgeries(t)
	for _, group := range names(corpus) {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			a := startAttacked(t)
			seen := 0
			for _, f := range corpus[group] {
				var request strings.Builder
				request.WriteString("GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n")
				for _, line := range f.Traceparent {
					request.WriteString("traceparent: " + line + "\r\n")
				}
				for _, line := range f.Baggage {
					request.WriteString("baggage: " + line + "\r\n")
				}
				request.WriteString("\r\n")
				status, answer := a.send(t, request.String())
				records := a.trail.Records()[seen:]
				seen += len(records)
				if !throughHTTP(f) {
					require.Equal(t, http.StatusBadRequest, status, f.Name)
					require.Empty(t, records, f.Name)
					continue
				}
				require.Equal(t, http.StatusOK, status, f.Name)
				a.requireAnonymous(t, f.Name, records, f.Want)
				requireNoToken(t, f, answer, fmt.Sprintf("%+v", records))
			}
		})
	}
}

// throughHTTP reports whether net/http takes f's headers.
func throughHTTP(f forgery) bool {
	return !strings.ContainsFunc(strings.Join(append(f.Baggage, f.Traceparent...), ""), func(r rune) bool {
		return r < ' ' && r != '\t' || r == 0x7f
	})
}

// requireNoToken looks for parts of f's token in what others get to see. Members of others are their affair.
func requireNoToken(t *testing.T, f forgery, texts ...string) {
	t.Helper()
	if f.Want == "" {
		return
	}
	_, _, payload, signature := parts(genuine().signed())
	for _, text := range texts {
		require.NotContains(t, text, payload[:20], f.Name)
		require.NotContains(t, text, signature[:20], f.Name)
	}
}

// What a client can do to HTTP itself. The tokens are genuine: if one of them got through as something else than a header of
// the request, it would be believed.
func TestHeaderSplitting(t *testing.T) {
	t.Parallel()
	token := genuine().signed()
	member := ours + token
	traceparent := "traceparent: " + forgeryTraceparent + "\r\n"
	const head, end = "GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n", "\r\n"
	for name, tc := range map[string]struct {
		request string
		status  int
		want    propagation.Rejection
	}{
		"CR in the value":              {head + traceparent + "baggage: a=1\rbaggage: " + member + "\r\n" + end, http.StatusBadRequest, ""},
		"NUL in the value":             {head + traceparent + "baggage: a=1\x00," + member + "\r\n" + end, http.StatusBadRequest, ""},
		"NUL in the name":              {head + traceparent + "bag\x00gage: " + member + "\r\n" + end, http.StatusBadRequest, ""},
		"white space before the colon": {head + traceparent + "baggage : " + member + "\r\n" + end, http.StatusBadRequest, ""},
		"another name":                 {head + traceparent + "x-baggage: " + member + "\r\n" + end, http.StatusOK, ""},
		"an underscore in the name":    {head + traceparent + "_baggage: " + member + "\r\n" + end, http.StatusOK, ""},
		"percent-encoded line break":   {head + traceparent + "x: 1%0d%0abaggage: " + member + "\r\n" + end, http.StatusOK, ""},
		"in the query":                 {"GET /?baggage=" + member + " HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n" + traceparent + end, http.StatusOK, ""},
		"in a cookie":                  {head + traceparent + "cookie: baggage=" + member + "\r\n" + end, http.StatusOK, ""},
		"behind the headers":           {head + traceparent + end + "baggage: " + member + "\r\n\r\n", http.StatusOK, ""},
		"in a trailer": {
			"POST / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: baggage\r\n" + traceparent +
				"\r\n1\r\nx\r\n0\r\nbaggage: " + member + "\r\n\r\n", http.StatusOK, "",
		},
		"once more in another case":   {head + traceparent + "baggage: " + member + "\r\nBAGGAGE: " + member + "\r\n" + end, http.StatusOK, propagation.RejectionDuplicate},
		"folded, with a second one":   {head + traceparent + "baggage: a=1,\r\n " + member + ",\r\n\t" + member + "\r\n" + end, http.StatusOK, propagation.RejectionDuplicate},
		"folded within the token":     {head + traceparent + "baggage: " + ours + token[:30] + "\r\n " + token[30:] + "\r\n" + end, http.StatusOK, propagation.RejectionSignature},
		"a second traceparent, split": {head + traceparent + "TraceParent: " + otherTraceparent + "\r\nbaggage: " + member + "\r\n" + end, http.StatusOK, propagation.RejectionTrace},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startAttacked(t)
			status, answer := a.send(t, tc.request)
			require.Equal(t, tc.status, status)
			require.NotContains(t, answer, token)
			records := a.trail.Records()
			if tc.status != http.StatusOK {
				require.Empty(t, records)
				return
			}
			a.requireAnonymous(t, name, records, tc.want)
		})
	}
}
