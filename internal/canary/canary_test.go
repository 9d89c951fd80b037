package canary

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/exporter/postgres"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/propagation"
	"github.com/rj-gamer/go-activity-tracker/trail"
)

// places says what is planted, and where it may come out.
func places(s *secrets) {
	// What a request brings.
	s.nowhere("header Cookie", "header X-Api-Key", "name of a header", "header Referer", "header Proxy-Authorization",
		"header Forwarded", "bearer token of nobody",
		"query string", "name in the query string", "query string of a neighbour", "URL's password in a request", "JSON body", "form")
	s.only("header User-Agent", slices.Concat(record, []outlet{spans})...) // a claim of the client's; otelhttp notes it, too
	s.only("header X-Request-Id", record...)                               // likewise
	s.only("header Host", spans, metrics)                                  // otelhttp's server.address
	s.only("header X-Forwarded-For", spans)                                // otelhttp's client.address
	s.only("path, redacted by WithPath", spans)                            // otelhttp's url.path
	s.only("path", slices.Concat(record, []outlet{spans})...)
	s.only("baggage of the application", toAudience, toOthers, spans) // OpenTelemetry sends it to everybody, and traces what it sends
	s.only("tracestate", toAudience, toOthers, spans)                 // likewise

	// What the application hands in, to be recorded. A person's console leaves out where a request came from.
	for _, place := range []string{
		"reason", "target's name", "metadata", "metadata, deep within", "bytes in metadata", "key of metadata",
		"change by hand", "tracked field, before", "tracked field, after", "tracked field within, before", "tracked field within, after",
	} {
		s.only(place, activity...)
	}
	s.only("target's id", slices.Concat(activity, []outlet{spans})...) // the span's event says what was done to which target
	s.only("actor's id", slices.Concat(activity, []outlet{toAudience})...)
	s.only("actor's name", activity...)
	s.only("actor's role", activity...)
	s.only("actor's tenant", slices.Concat(record, []outlet{toAudience})...)
	s.only("reason in the context", slices.Concat(activity, []outlet{toAudience})...)

	// What it does not hand in.
	for _, field := range []string{
		"sensitive field", "untagged field", "field with an unknown tag", "unexported field", "untagged field within",
		"untagged map", "key of an untagged map", "tagged field in an untagged one",
	} {
		s.nowhere(field+", before", field+", after")
	}
	s.only("cookie of the answer", answers)
	s.only("body of the answer", answers)
	s.nowhere("session id", "error", "wrapped error", "error of the actor function", "panic of Classify",
		"reason of what is refused", "metadata of what is refused", "actor's name in what is refused")
	session := sha256.Sum256([]byte(s.places["session id"].value))
	s.known("session id's hash", hex.EncodeToString(session[:]), record...)
	// net/http logs what nobody recovered, and the SDK ends a span with it. Neither asks us.
	s.only("panic of a handler", serverLog, spans)
	s.only("panic of the actor function", serverLog, spans)
	s.only("panic of WithRoute", serverLog, spans)

	// What calls of others bring: the URL is otelhttp's to note.
	s.only("query string to an audience", toAudience, spans)
	s.only("URL's password", toOthers) // as net/http sends it, in Authorization

	// What other services say. A token that came in never goes out again; one that is refused makes nobody an actor.
	s.only("id in a token", slices.Concat(activity, []outlet{toAudience})...)
	s.nowhere("id in a token for others", "id in a token of another trace", "id in a token from outside", "id in a message's token",
		"text in place of a token", "payload that nobody signed", "key's id in a token", "token twice")

	// What holds the service together.
	s.nowhere("HMAC secret", "secret of a JWK", "DSN's password", "password of a DSN that cannot be read")
	s.only("sink's name", journal, metrics, otelErrors, errorTexts) // it names a cursor
	s.only("exporter's error", otelErrors, errorTexts)              // its operator's to read
}

func TestNoSecretComesOut(t *testing.T) {
	t.Parallel()
	s := newSecrets(t)
	places(s)
	k := newStack(t, s)
	v := &service{stack: k, t: t, s: s, audience: k.headers(t, toAudience), other: k.headers(t, toOthers)}
	v.wire = newWire(t, v)
	requests(v, k.serve(t, v.handler()), k.serve(t, propagation.Edge(v.handler(v.options()...))))
	k.operate(t, s)
	v.wire.operate(t, k.texts[errorTexts])
	k.close(t)
	require.Eventually(t, func() bool { return contains(k.texts[otelErrors].String(), s.of("exporter's error")) },
		10*time.Second, time.Millisecond, "a best-effort sink's failure is reported by a goroutine of its own")
	out := k.out(t)
	s.check(out)
	for _, reason := range []propagation.Rejection{
		propagation.RejectionAudience, propagation.RejectionTrace, propagation.RejectionMalformed, propagation.RejectionSignature,
		propagation.RejectionUnknownKey, propagation.RejectionDuplicate,
	} {
		require.Contains(t, out[lines], `"reason":"`+string(reason)+`"`, "a token that was to be refused")
	}
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// requests sends what clients and neighbours would, with all that they can hide something in. Clients come in by the edge.
func requests(v *service, inside, edge string) {
	s, t := v.s, v.t
	send := func(method, url, body string, headers ...string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		r.Host = s.of("header Host")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		transport := &http.Transport{DisableKeepAlives: true}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			require.ErrorContains(t, err, "EOF", "only a panic ends a connection")
			return
		}
		require.NoError(t, answer.Write(v.texts[answers]))
		require.NoError(t, answer.Body.Close())
	}
	session := []string{"Authorization", "Bearer " + s.of("session id")}

	send("POST", edge+"/orders/"+s.of("path")+"?"+s.of("name in the query string")+"="+s.of("query string"), `{"iban": "`+s.of("JSON body")+`"}`,
		append(session,
			"Content-Type", "application/json",
			"Cookie", "sid="+s.of("header Cookie"),
			"X-Api-Key", s.of("header X-Api-Key"),
			"X-"+s.of("name of a header"), "1",
			"Referer", "https://app.example/?"+s.of("header Referer"),
			"Proxy-Authorization", "Bearer "+s.of("header Proxy-Authorization"),
			"User-Agent", "agent/1 "+s.of("header User-Agent"),
			"X-Request-Id", s.of("header X-Request-Id"),
			"X-Forwarded-For", s.of("header X-Forwarded-For")+", 203.0.113.7",
			"Forwarded", "for="+s.of("header Forwarded"),
			"Tracestate", "vendor="+s.of("tracestate"),
			"Traceparent", traceparent,
			"Baggage", "color="+s.of("baggage of the application"),
		)...)
	send("POST", edge+"/forms", url.Values{"iban": {s.of("form")}}.Encode(), append(session, "Content-Type", "application/x-www-form-urlencoded")...)
	send("GET", edge+"/reset/"+s.of("path, redacted by WithPath"), "", session...)
	send("GET", edge+"/panic", "", session...)
	send("GET", edge+"/classify", "", session...)
	send("GET", edge+"/refused", "", session...)
	send("GET", edge+"/refused", "", "Authorization", "Bearer "+s.of("bearer token of nobody"))
	send("GET", edge+"/refused", "", "Authorization", "Bearer panic")
	send("GET", edge+"/route", "", session...)

	send("GET", inside+"/anonymous?q="+s.of("query string of a neighbour"), "")
	send("GET", inside+"/forward", "", v.wire.presented(t, "id in a token", ours)...)
	send("GET", inside+"/forward", "", v.wire.presented(t, "id in a token for others", "audience")...)
	send("GET", inside+"/forward", "", append(v.wire.presented(t, "id in a token of another trace", ours)[2:], "Traceparent", traceparent)...)
	send("GET", edge+"/forward", "", v.wire.presented(t, "id in a token from outside", ours)...)
	member := "otelaudit.actor=r1."
	send("GET", inside+"/forward", "", "Baggage", member+s.of("text in place of a token"))
	send("GET", inside+"/forward", "", "Baggage", member+"k1."+s.of("payload that nobody signed")+"AA."+strings.Repeat("Q", 43))
	send("GET", inside+"/forward", "", "Baggage", member+s.of("key's id in a token")+".QQ."+strings.Repeat("Q", 43))
	send("GET", inside+"/forward", "", "Baggage", member+s.of("token twice")+","+member)

	host := strings.TrimPrefix(edge, "http://")
	v.texts[answers].add(exchange(t, edge, "GET http://user:"+s.of("URL's password in a request")+"@"+host+"/anonymous HTTP/1.1\r\nConnection: close\r\n"+
		"Host: x\r\n\r\n"))
}

// operate does what goes wrong around a service.
func (k *stack) operate(t *testing.T, s *secrets) {
	t.Helper()
	_, err := postgres.Open(t.Context(), "postgres://app:"+s.of("password of a DSN that cannot be read")+"@db:port/billing")
	require.Error(t, err)
	k.texts[errorTexts].add(err.Error())

	// A trail that can store nothing says why.
	down, err := postgres.Open(t.Context(), "host=/nonexistent dbname=x user=x password="+s.of("DSN's password"))
	require.NoError(t, err)
	for _, exporter := range []trail.Sink{
		{Name: "down", Exporter: down},
		{Name: "failing", Exporter: failing{errors.New("full: " + s.of("exporter's error"))}},
	} {
		broken, err := trail.Open(t.Context(), trail.Config{
			NoJournal: true, Service: "broken", Sinks: []trail.Sink{exporter}, TrackTimeout: 100 * time.Millisecond, CloseTimeout: 100 * time.Millisecond,
		})
		if err == nil {
			_, err = broken.Track(t.Context(), otelaudit.Activity{
				Action: "x.do", Reason: s.of("reason of what is refused"), Err: fmt.Errorf("over: %s", s.of("error")),
			})
			require.Error(t, err)
			k.texts[errorTexts].add(fmt.Sprint(broken.Close()))
		}
		k.texts[errorTexts].add(err.Error())
	}
}
