package main

import (
	"context"
	"net"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/rj-gamer/go-activity-tracker/contrib/auditgrpc"
	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func newBilling(string) (server, error) {
	nobody := func(context.Context, string) (otelaudit.Actor, error) {
		return otelaudit.Actor{}, nil // as in orders
	}
	s := grpc.NewServer(
		grpc.StatsHandler(auditgrpc.ServerHandler(otelgrpc.NewServerHandler())),
		grpc.ChainUnaryInterceptor(auditgrpc.UnaryServerInterceptor(nobody, auditgrpc.WithRejectionsTracked())),
	)
	s.RegisterService(&billingService, charging(charge))
	return server{
		serve: func(l net.Listener) error { return s.Serve(l) },
		stop: func(context.Context) error {
			s.GracefulStop()
			return nil
		},
	}, nil
}

// limit is how much may be charged at once.
const limit = 500_00

func charge(ctx context.Context, order string, cents int) error {
	a := otelaudit.Activity{Action: "invoice.charge", Target: otelaudit.Target{Type: "order", ID: order}}
	return otelaudit.Do(ctx, a, func(ctx context.Context, _ *otelaudit.Activity) error {
		if who, _ := otelaudit.ActorFromContext(ctx); who.Type != otelaudit.ActorService || cents > limit {
			return status.Error(codes.PermissionDenied, "not for so much")
		}
		return nil
	})
}

// What protoc would write for "rpc Charge(google.protobuf.Struct) returns (google.protobuf.Empty)".

type charging func(ctx context.Context, order string, cents int) error

const chargeMethod = "/billing.Billing/Charge"

var billingService = grpc.ServiceDesc{
	ServiceName: "billing.Billing",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Charge",
		Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			in := new(structpb.Struct)
			if err := decode(in); err != nil {
				return nil, err
			}
			return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: chargeMethod}, func(ctx context.Context, _ any) (any, error) {
				return new(emptypb.Empty), srv.(charging)(ctx, in.Fields["order"].GetStringValue(), int(in.Fields["cents"].GetNumberValue()))
			})
		},
	}},
}

type billingClient struct{ conn *grpc.ClientConn }

func (c billingClient) charge(ctx context.Context, order string, cents int) error {
	in := &structpb.Struct{Fields: map[string]*structpb.Value{
		"order": structpb.NewStringValue(order),
		"cents": structpb.NewNumberValue(float64(cents)),
	}}
	return c.conn.Invoke(ctx, chargeMethod, in, new(emptypb.Empty))
}
