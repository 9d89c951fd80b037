package otelaudit

// Request is where an activity came from: facts about the request that the server observed or that the client claimed.
// Query strings, bodies and headers are not part of it.
type Request struct {
	Method        string // http.request.method
	Route         string // http.route: the pattern, not the path
	Path          string // url.path, without the query
	RPCMethod     string // rpc.method, for gRPC
	ClientAddress string // client.address and audit.source.id: behind trusted proxies the client's, else the peer's
	PeerAddress   string // network.peer.address: who was connected
	UserAgent     string // user_agent.original: a claim
	ID            string // otelaudit.request.id

	// RouteFunc, where Route is empty, is called when an activity is tracked: a router knows the pattern only once it has
	// routed. It must be safe for concurrent use, also once the request is over ([Detach]). A record never has one.
	RouteFunc func() string
}
