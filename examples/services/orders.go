package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
	"github.com/rj-gamer/go-activity-tracker/propagation"
)

type ordersServer struct {
	billing billingClient
	last    atomic.Uint64
}

func newOrders(next string) (server, error) {
	// Only to this target goes a token, and it is for billing.
	opts := auditgrpc.ClientOptions(otelgrpc.NewClientHandler(), map[string]string{next: billing})
	conn, err := grpc.NewClient(next, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return server{}, err
	}
	o := &ordersServer{billing: billingClient{conn}}
	mux := http.NewServeMux()
	mux.Handle("POST /orders", endpoint(o.place))
	audit := audithttp.NewMiddleware(func(*http.Request) (otelaudit.Actor, error) {
		return otelaudit.Actor{}, nil // nobody logs in here: who acts is whom the token names, and else nobody
	}, audithttp.WithRejectionsTracked(propagation.TrackRejection))
	s := httpServer(otelhttp.NewHandler(audit(mux), orders))
	stop := s.stop
	s.stop = func(ctx context.Context) error { return errors.Join(stop(ctx), conn.Close()) }
	return s, nil
}

type order struct {
	ID string `json:"id"`
}

func (o *ordersServer) place(r *http.Request, in cart) (order, error) {
	id := strconv.FormatUint(o.last.Add(1), 10)
	a := otelaudit.Activity{Action: "order.place", Target: otelaudit.Target{Type: "order", ID: id}}
	err := otelaudit.Do(r.Context(), a, func(ctx context.Context, _ *otelaudit.Activity) error {
		if who, _ := otelaudit.ActorFromContext(ctx); who.Type != otelaudit.ActorService {
			return otelaudit.ErrDenied // only edge and its like may order
		}
		return o.billing.charge(ctx, id, in.Cents)
	})
	return order{ID: id}, err
}
