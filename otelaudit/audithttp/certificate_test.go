package audithttp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

func service(id string) otelaudit.Actor {
	return otelaudit.Actor{Type: otelaudit.ActorService, ID: id, AuthMethod: "mtls", Trust: otelaudit.TrustVerified}
}

func TestClientCertificateNames(t *testing.T) {
	t.Parallel()
	uri := func(s string) *url.URL {
		u, err := url.Parse(s)
		require.NoError(t, err)
		return u
	}
	subject := pkix.Name{CommonName: "admin"}
	for name, tc := range map[string]struct {
		cert x509.Certificate
		want string // "": refused
	}{
		"SPIFFE":              {x509.Certificate{URIs: []*url.URL{uri("spiffe://example.org/ns/a/sa/billing")}}, "spiffe://example.org/ns/a/sa/billing"},
		"URI before DNS":      {x509.Certificate{URIs: []*url.URL{uri("spiffe://example.org/a")}, DNSNames: []string{"a.example", "b.example"}}, "spiffe://example.org/a"},
		"DNS":                 {x509.Certificate{Subject: subject, DNSNames: []string{"Billing.Example"}}, "billing.example"},
		"several URIs":        {x509.Certificate{URIs: []*url.URL{uri("spiffe://example.org/a"), uri("spiffe://example.org/b")}}, ""},
		"several DNS names":   {x509.Certificate{DNSNames: []string{"a.example", "b.example"}}, ""},
		"wildcard":            {x509.Certificate{DNSNames: []string{"*.example"}}, ""},
		"subject only":        {x509.Certificate{Subject: subject}, ""},
		"empty URI":           {x509.Certificate{Subject: subject, URIs: []*url.URL{{}}}, ""},
		"nothing":             {x509.Certificate{}, ""},
		"address and mail":    {x509.Certificate{Subject: subject, EmailAddresses: []string{"a@b.example"}}, ""},
		"empty DNS name":      {x509.Certificate{DNSNames: []string{""}}, ""},
		"URI, no DNS guesses": {x509.Certificate{URIs: []*url.URL{{}}, DNSNames: []string{"a.example"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{&tc.cert}}}
			got, err := audithttp.ClientCertificate(nil)(r)
			if tc.want == "" {
				require.ErrorIs(t, err, audithttp.ErrUnauthenticated)
				require.Zero(t, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, service(tc.want), got)
		})
	}
}

func TestClientCertificateIsVerifiedOrNothing(t *testing.T) {
	t.Parallel()
	cert := &x509.Certificate{DNSNames: []string{"billing.example"}}
	ask := func(state *tls.ConnectionState, f func(*x509.Certificate) (otelaudit.Actor, error)) (otelaudit.Actor, error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.TLS = state
		return audithttp.ClientCertificate(f)(r)
	}
	verified := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}

	for _, none := range []*tls.ConnectionState{nil, {}} {
		got, err := ask(none, nil)
		require.NoError(t, err)
		require.Zero(t, got)
	}
	for _, unverified := range []*tls.ConnectionState{
		{PeerCertificates: []*x509.Certificate{cert}},
		{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{}}},
	} {
		got, err := ask(unverified, nil)
		require.ErrorIs(t, err, audithttp.ErrUnauthenticated)
		require.ErrorContains(t, err, "tls.Config.ClientAuth")
		require.Zero(t, got)
	}

	got, err := ask(verified, func(c *x509.Certificate) (otelaudit.Actor, error) {
		require.Same(t, cert, c)
		return otelaudit.Actor{Type: otelaudit.ActorUser, ID: "card-7", AuthMethod: "smartcard"}, nil
	})
	require.NoError(t, err)
	require.Equal(t, otelaudit.Actor{Type: otelaudit.ActorUser, ID: "card-7", AuthMethod: "smartcard", Trust: otelaudit.TrustVerified}, got)

	revoked := errors.New("revoked")
	_, err = ask(verified, func(*x509.Certificate) (otelaudit.Actor, error) { return otelaudit.User("guessed"), revoked })
	require.ErrorIs(t, err, audithttp.ErrUnauthenticated)
	require.ErrorIs(t, err, revoked)
	_, err = ask(verified, func(*x509.Certificate) (otelaudit.Actor, error) { return otelaudit.Actor{}, nil })
	require.ErrorIs(t, err, audithttp.ErrUnauthenticated)
}

// The same over TCP: what crypto/tls verified is an actor, what it merely accepted is not.
func TestClientCertificateOverTLS(t *testing.T) {
	t.Parallel()
	ca, caKey := issue(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, key := issue(t, &x509.Certificate{
		DNSNames:    []string{"billing.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, caKey)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	for name, tc := range map[string]struct {
		auth   tls.ClientAuthType
		status int
	}{
		"verified":   {tls.RequireAndVerifyClientCert, http.StatusOK},
		"accepted":   {tls.RequireAnyClientCert, http.StatusUnauthorized},
		"not wanted": {tls.NoClientCert, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			server := httptest.NewUnstartedServer(m.into(audithttp.NewMiddleware(audithttp.ClientCertificate(nil))(tracking())))
			server.TLS = &tls.Config{ClientAuth: tc.auth, ClientCAs: pool, MinVersion: tls.VersionTLS13}
			server.StartTLS()
			defer server.Close()
			transport, ok := server.Client().Transport.(*http.Transport)
			require.True(t, ok)
			transport.TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}

			require.Equal(t, tc.status, fetch(t, server, "/").StatusCode)
			switch {
			case tc.auth == tls.NoClientCert:
				require.Equal(t, otelaudit.Anonymous(), m.only(t).Actor)
			case tc.status == http.StatusOK:
				require.Equal(t, service("billing.example"), m.only(t).Actor)
			default:
				require.Empty(t, m.all())
			}
		})
	}
}

// issue makes a certificate signed by parent, or by itself.
func issue(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert, key
}
