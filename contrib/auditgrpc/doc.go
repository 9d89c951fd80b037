// Package auditgrpc is for gRPC what package audithttp is for net/http: it puts the actor and the facts of a call into the
// context, where [otelaudit.Track] finds them, and says for whom an outgoing call is, so that the actor goes along.
//
//	server := grpc.NewServer(
//		grpc.StatsHandler(auditgrpc.ServerHandler(otelgrpc.NewServerHandler())),
//		grpc.ChainUnaryInterceptor(auditgrpc.UnaryServerInterceptor(actor)),
//		grpc.ChainStreamInterceptor(auditgrpc.StreamServerInterceptor(actor)),
//	)
//
//	opts := auditgrpc.ClientOptions(otelgrpc.NewClientHandler(), map[string]string{"dns:///billing.internal:8443": "billing"})
//	conn, err := grpc.NewClient("dns:///billing.internal:8443", append(opts, grpc.WithTransportCredentials(creds))...)
//
// otelgrpc's handlers do the carrying, with the propagator that otel.SetTextMapPropagator was given. On the server, its handler
// reads the metadata before any interceptor runs; on the client, it writes them after all interceptors have run, once more
// for each attempt. [ServerHandler] and [ClientOptions] go around them; without ClientOptions no token is sent. A server that
// strangers can reach has [EdgeHandler] in place of ServerHandler.
//
// The actor comes from a function of the caller's: [ClientCertificate] and [FromContext] make such functions, and
// audithttp.ActorFromClaims reads the claims of a token for one. The interceptors authenticate nobody themselves, and authorize
// nobody: a call without credentials goes on, as who was propagated or else as anonymous.
//
// # What is recorded of a call
//
// The method, the address of the connected peer, the user agent and the metadata x-request-id where there is exactly one, of
// at most 128 bytes of ASCII without spaces. User agent and request id are what the client claims. The client's address is
// always the peer's: no forwarding header is believed, so that behind a proxy which ends the connection it is the proxy's.
// No other metadata and no message is recorded.
//
// # Outcomes
//
// [Classify] gives the outcome of an activity whose error is a gRPC status.
package auditgrpc
