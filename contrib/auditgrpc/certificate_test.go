package auditgrpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audittest"
)

func byCertificate(t *testing.T, auth credentials.AuthInfo, f func(*x509.Certificate) (otelaudit.Actor, error)) (otelaudit.Actor, error) {
	t.Helper()
	return auditgrpc.ClientCertificate(f)(peer.NewContext(t.Context(), &peer.Peer{AuthInfo: auth}), sayMethod)
}

func verifiedBy(cert *x509.Certificate) credentials.TLSInfo {
	return credentials.TLSInfo{State: tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}}
}

func TestClientCertificateNames(t *testing.T) {
	t.Parallel()
	uri := func(s string) *url.URL {
		u, err := url.Parse(s)
		require.NoError(t, err)
		return u
	}
	spiffe := uri("spiffe://example.org/ns/a/sa/billing")
	subject := pkix.Name{CommonName: "admin"}
	for name, tc := range map[string]struct {
		cert x509.Certificate
		want string // "": refused
	}{
		"SPIFFE":            {x509.Certificate{URIs: []*url.URL{spiffe}}, "spiffe://example.org/ns/a/sa/billing"},
		"URI before DNS":    {x509.Certificate{URIs: []*url.URL{spiffe}, DNSNames: []string{"a.example", "b.example"}}, spiffe.String()},
		"DNS":               {x509.Certificate{Subject: subject, DNSNames: []string{"Billing.Example"}}, "billing.example"},
		"several URIs":      {x509.Certificate{URIs: []*url.URL{spiffe, uri("spiffe://example.org/b")}, DNSNames: []string{"a.example"}}, ""},
		"several DNS names": {x509.Certificate{DNSNames: []string{"a.example", "b.example"}}, ""},
		"wildcard":          {x509.Certificate{DNSNames: []string{"*.example"}}, ""},
		"subject only":      {x509.Certificate{Subject: subject}, ""},
		"empty URI":         {x509.Certificate{URIs: []*url.URL{{}}, DNSNames: []string{"a.example"}}, ""},
		"nothing":           {x509.Certificate{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := byCertificate(t, verifiedBy(&tc.cert), nil)
			if tc.want == "" {
				require.ErrorIs(t, err, auditgrpc.ErrUnauthenticated)
				require.Zero(t, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, mtls(tc.want), got)
		})
	}
}

func mtls(id string) otelaudit.Actor {
	return otelaudit.Actor{Type: otelaudit.ActorService, ID: id, AuthMethod: "mtls", Trust: otelaudit.TrustVerified}
}

func TestClientCertificateIsVerifiedOrNothing(t *testing.T) {
	t.Parallel()
	cert := &x509.Certificate{DNSNames: []string{"billing.example"}}
	for _, none := range []credentials.AuthInfo{nil, credentials.TLSInfo{}} {
		got, err := byCertificate(t, none, nil)
		require.NoError(t, err)
		require.Zero(t, got)
	}
	got, err := auditgrpc.ClientCertificate(nil)(t.Context(), sayMethod)
	require.NoError(t, err)
	require.Zero(t, got)

	for _, state := range []tls.ConnectionState{
		{PeerCertificates: []*x509.Certificate{cert}},
		{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{}}},
	} {
		got, err := byCertificate(t, credentials.TLSInfo{State: state}, nil)
		require.ErrorIs(t, err, auditgrpc.ErrUnauthenticated)
		require.ErrorContains(t, err, "tls.Config.ClientAuth")
		require.Zero(t, got)
	}

	got, err = byCertificate(t, verifiedBy(cert), func(c *x509.Certificate) (otelaudit.Actor, error) {
		require.Same(t, cert, c)
		return otelaudit.Actor{Type: otelaudit.ActorUser, ID: "card-7", AuthMethod: "smartcard"}, nil
	})
	require.NoError(t, err)
	require.Equal(t, otelaudit.Actor{Type: otelaudit.ActorUser, ID: "card-7", AuthMethod: "smartcard", Trust: otelaudit.TrustVerified}, got)

	revoked := errors.New("revoked")
	_, err = byCertificate(t, verifiedBy(cert), func(*x509.Certificate) (otelaudit.Actor, error) { return otelaudit.User("guessed"), revoked })
	require.ErrorIs(t, err, auditgrpc.ErrUnauthenticated)
	require.ErrorIs(t, err, revoked)
	_, err = byCertificate(t, verifiedBy(cert), func(*x509.Certificate) (otelaudit.Actor, error) { return otelaudit.Actor{}, nil })
	require.ErrorIs(t, err, auditgrpc.ErrUnauthenticated)
}

// The same over TCP: what crypto/tls verified is an actor, what it merely accepted is not.
func TestClientCertificateOverTLS(t *testing.T) {
	t.Parallel()
	ca, caKey := issue(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	own, ownKey := issue(t, &x509.Certificate{DNSNames: []string{"orders.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca, caKey)
	leaf, key := issue(t, &x509.Certificate{DNSNames: []string{"billing.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca, caKey)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	client := credentials.NewTLS(&tls.Config{
		RootCAs: pool, ServerName: "orders.example", MinVersion: tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}},
	})
	for name, tc := range map[string]struct {
		auth tls.ClientAuthType
		want otelaudit.Actor // zero: refused
	}{
		"verified":   {tls.RequireAndVerifyClientCert, mtls("billing.example")},
		"accepted":   {tls.RequireAnyClientCert, otelaudit.Actor{}},
		"not wanted": {tls.NoClientCert, otelaudit.Anonymous()},
	} {
		for kind, call := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				tr := audittest.New(t)
				server := credentials.NewTLS(&tls.Config{
					ClientAuth: tc.auth, ClientCAs: pool, MinVersion: tls.VersionTLS13,
					Certificates: []tls.Certificate{{Certificate: [][]byte{own.Raw}, PrivateKey: ownKey}},
				})
				target := serve(t, track, append(audited(tr, nil, auditgrpc.ClientCertificate(nil)), grpc.Creds(server))...)
				err := call(t.Context(), dial(t, target, grpc.WithTransportCredentials(client)))
				if tc.want.IsZero() {
					require.Equal(t, codes.Unauthenticated, status.Code(err), err)
					require.Empty(t, tr.Records())
					return
				}
				require.NoError(t, err)
				require.Equal(t, tc.want, only(t, tr).Actor)
			})
		}
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
