package auditgrpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// byToken is an actor function of an application's: who has a valid token is somebody, who has none is anonymous.
func byToken(ctx context.Context, _ string) (otelaudit.Actor, error) {
	tokens := metadata.ValueFromIncomingContext(ctx, "authorization")
	switch {
	case len(tokens) == 0:
		return otelaudit.Actor{}, nil
	case len(tokens) > 1 || tokens[0] != "Bearer alice's":
		return otelaudit.Actor{}, errors.New("no such token")
	}
	return otelaudit.Actor{Type: otelaudit.ActorUser, ID: "alice", AuthMethod: "token", Trust: otelaudit.TrustVerified}, nil
}

func Example() {
	whoAndWhere := func(ctx context.Context, _ string) error { // what Track would record
		actor, _ := otelaudit.ActorFromContext(ctx)
		request, _ := otelaudit.RequestFromContext(ctx)
		fmt.Println(actor.Type, actor.ID, actor.Trust, "from", request.PeerAddress, "to", request.RPCMethod)
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(
		grpc.StatsHandler(auditgrpc.ServerHandler(otelgrpc.NewServerHandler())), // EdgeHandler where strangers call
		grpc.ChainUnaryInterceptor(auditgrpc.UnaryServerInterceptor(byToken)),
		grpc.ChainStreamInterceptor(auditgrpc.StreamServerInterceptor(byToken)),
	)
	server.RegisterService(&echo, handler(whoAndWhere))
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	audiences := map[string]string{listener.Addr().String(): "echo"} // in production "echo.internal:8443"
	opts := auditgrpc.ClientOptions(otelgrpc.NewClientHandler(), audiences)
	conn, err := grpc.NewClient(listener.Addr().String(), append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		panic(err)
	}
	defer func() { _ = conn.Close() }()

	ctx := context.Background()
	for _, token := range []string{"Bearer alice's", "Bearer a guess"} {
		fmt.Println(say(metadata.AppendToOutgoingContext(ctx, "authorization", token), conn, "hello"))
	}
	fmt.Println(say(ctx, conn, "hello"))
	// Output:
	// user alice verified from 127.0.0.1 to test.Echo/Say
	// <nil>
	// rpc error: code = Unauthenticated desc = unauthenticated
	// anonymous  declared from 127.0.0.1 to test.Echo/Say
	// <nil>
}

func ExampleEdgeHandler() {
	server := grpc.NewServer(
		grpc.StatsHandler(auditgrpc.EdgeHandler(otelgrpc.NewServerHandler(otelgrpc.WithPublicEndpoint()))),
		grpc.ChainUnaryInterceptor(auditgrpc.UnaryServerInterceptor(byToken)),
		grpc.ChainStreamInterceptor(auditgrpc.StreamServerInterceptor(byToken)),
	)
	server.Stop()
	// Output:
}

func ExampleClientCertificate() {
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{
			ClientAuth: tls.VerifyClientCertIfGiven, // and Certificates and ClientCAs
			MinVersion: tls.VersionTLS13,
		})),
		grpc.StatsHandler(auditgrpc.ServerHandler(otelgrpc.NewServerHandler())),
		// Services act for whom they say; who has no certificate is whom a token names, and else anonymous.
		grpc.ChainUnaryInterceptor(auditgrpc.UnaryServerInterceptor(auditgrpc.ClientCertificate(nil),
			auditgrpc.WithPropagated(func(own, _ otelaudit.Actor) bool { return own.Type == otelaudit.ActorService }))),
	)
	server.Stop()
	// Output:
}

func ExampleClassify() {
	policy := otelaudit.Policy{Classify: auditgrpc.Classify}
	fmt.Println(policy.Classify(status.Error(codes.PermissionDenied, "not for so much")))
	fmt.Println(policy.Classify(status.Error(codes.Unavailable, "the connection was lost")))
	fmt.Println(policy.Classify(status.Error(codes.NotFound, "no such invoice")))
	// Output:
	// denied
	// unknown
	// failure
}
