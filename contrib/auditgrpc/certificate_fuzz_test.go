package auditgrpc_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/credentials"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// FuzzClientCertificate gives a certificate hostile names, as a struct, which holds anything. The corpus is in testdata/fuzz;
// each file is named for what it tries.
func FuzzClientCertificate(f *testing.F) {
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(f, err)
	f.Add("spiffe://example.org/ns/a/sa/billing", "billing.example", "admin", uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, uri, dns, common string, uris, dnsNames uint8) {
		cert := named(uri, dns, common, int(uris%3), int(dnsNames%3))
		got, err := byCertificate(t, credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}}, nil)
		require.ErrorIs(t, err, auditgrpc.ErrUnauthenticated, "nobody has verified it")
		require.Zero(t, got)

		var names []string
		for _, u := range cert.URIs {
			names = append(names, u.String())
		}
		if len(names) == 0 {
			for _, name := range cert.DNSNames {
				names = append(names, strings.ToLower(name))
			}
		}
		got, err = byCertificate(t, verifiedBy(cert), nil)
		if len(names) != 1 || names[0] == "" || len(cert.URIs) == 0 && strings.Contains(names[0], "*") {
			require.ErrorIs(t, err, auditgrpc.ErrUnauthenticated)
			require.Zero(t, got)
			return
		}
		require.NoError(t, err)
		require.Equal(t, mtls(names[0]), got)

		var record otelaudit.Record
		_, err = recorder.Record(t.Context(), &otelaudit.Activity{Action: "a.read", Actor: got}, &record)
		require.NoError(t, err)
		require.Equal(t, otelaudit.StorableID(got.ID), record.Actor.ID)
		require.True(t, utf8.ValidString(record.Actor.ID))
		require.LessOrEqual(t, len(record.Actor.ID), otelaudit.MaxIDBytes)
		require.Equal(t, -1, strings.IndexFunc(record.Actor.ID, unicode.IsControl))
	})
}

// named returns a certificate with so many of these names.
func named(uri, dns, common string, uris, dnsNames int) *x509.Certificate {
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: common}}
	for range uris {
		u, err := url.Parse(uri)
		if err != nil {
			u = &url.URL{Scheme: uri, Opaque: uri, Fragment: uri}
		}
		cert.URIs = append(cert.URIs, u)
	}
	for range dnsNames {
		cert.DNSNames = append(cert.DNSNames, dns)
	}
	return cert
}
