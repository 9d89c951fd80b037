package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

func TestActivity(t *testing.T) {
	t.Parallel()
	e, err := parse([]byte(`{
		"eventVersion": "1.08",
		"userIdentity": {"type": "IAMUser", "principalId": "AIDAMIA", "accountId": "111122223333", "userName": "mia", "accessKeyId": "AKIASECRET"},
		"eventTime": "2024-03-01T12:30:45Z",
		"eventSource": "s3.amazonaws.com",
		"eventName": "PutObject",
		"awsRegion": "eu-west-1",
		"sourceIPAddress": "192.0.2.1",
		"userAgent": "aws-cli/2.15",
		"requestID": "R1",
		"eventID": "6f1f3d5e-0000-4000-8000-000000000001",
		"readOnly": false,
		"eventType": "AwsApiCall",
		"recipientAccountId": "111122223333",
		"sharedEventID": "S1",
		"errorCode": "AccessDenied",
		"errorMessage": "secret",
		"requestParameters": {"key": "secret"},
		"responseElements": {"ConsoleLogin": {"not": "a string"}},
		"resources": [
			{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::reports/2024.csv", "accountId": "444455556666"},
			{"ARN": "arn:aws:s3:::reports", "accountId": "111122223333"},
			{"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::reports/"},
			{"type": "AWS::S3::Object"}
		]
	}`))
	require.NoError(t, err)
	id, err := otelaudit.ParseID("6f1f3d5e-0000-4000-8000-000000000001")
	require.NoError(t, err)
	mia := otelaudit.User("AIDAMIA")
	mia.Name, mia.Tenant = "mia", "111122223333"
	require.Equal(t, otelaudit.Activity{
		Action: "aws.s3.PutObject",
		Actor:  mia,
		Target: otelaudit.Target{Type: "AWS::S3::Object", ID: "arn:aws:s3:::reports/2024.csv"},
		Related: []otelaudit.Target{
			{Type: "aws.resource", ID: "arn:aws:s3:::reports"},
			{Type: "AWS::S3::Object", ID: "arn:aws:s3:::reports/"},
		},
		Metadata: []attribute.KeyValue{
			attribute.String("cloud.provider", "aws"),
			attribute.String("cloud.account.id", "111122223333"),
			attribute.String("cloud.region", "eu-west-1"),
			attribute.String("aws.event_type", "AwsApiCall"),
			attribute.String("aws.shared_event_id", "S1"),
			attribute.Bool("aws.read_only", false),
			attribute.String("aws.resource.account_id", "444455556666"),
		},
		Err:    awsError("AccessDenied"),
		Tenant: "111122223333",
		Time:   time.Date(2024, 3, 1, 12, 30, 45, 0, time.UTC),
		ID:     id,
	}, e.activity())
	require.Equal(t, otelaudit.Request{ClientAddress: "192.0.2.1", UserAgent: "aws-cli/2.15", ID: "R1"}, e.request())
}

func TestActivityOfLittle(t *testing.T) {
	t.Parallel()
	e, err := parse([]byte(`{"eventID": "E1", "eventTime": "2024-03-01T12:30:45Z", "eventSource": "signin.example", "eventName": "X", "recipientAccountId": "1"}`))
	require.NoError(t, err)
	require.Equal(t, otelaudit.Activity{
		Action:   "aws.signin.example.X",
		Target:   otelaudit.Target{Type: "aws.account", ID: "1"},
		Metadata: []attribute.KeyValue{attribute.String("cloud.provider", "aws"), attribute.String("cloud.account.id", "1")},
		Tenant:   "1",
		Time:     time.Date(2024, 3, 1, 12, 30, 45, 0, time.UTC),
		ID:       otelaudit.DeriveID("cloudtrail:1", "E1"),
	}, e.activity())
}

func TestID(t *testing.T) {
	t.Parallel()
	const nilUUID = "00000000-0000-0000-0000-000000000000"
	e := event{EventID: nilUUID, RecipientAccountID: "1"}
	require.Equal(t, otelaudit.DeriveID("cloudtrail:1", nilUUID), e.id(), "a record cannot have the nil UUID")
	other := e
	other.RecipientAccountID = "2"
	require.NotEqual(t, e.id(), other.id())
}

func TestActor(t *testing.T) {
	t.Parallel()
	service := otelaudit.Service
	named := func(a otelaudit.Actor, name, tenant, method string) otelaudit.Actor {
		a.Name, a.Tenant, a.AuthMethod = name, tenant, method
		return a
	}
	mia := `"type": "IAMUser", "principalId": "AIDAMIA", "accountId": "1", "userName": "mia", "arn": "arn:aws:iam::1:user/mia"`
	session := `"type": "AssumedRole", "principalId": "AROADEPLOY:ci", "accountId": "1", "arn": "arn:aws:sts::1:assumed-role/deploy/ci"`
	issuer := `"sessionIssuer": {"type": "Role", "principalId": "AROADEPLOY", "accountId": "1", "userName": "deploy"}`
	deploy := named(service("AROADEPLOY"), "deploy", "1", "")
	for name, tc := range map[string]struct {
		identity string
		want     otelaudit.Actor
	}{
		"user": {mia, named(otelaudit.User("AIDAMIA"), "mia", "1", "")},
		"user with MFA": {
			mia + `, "sessionContext": {"sessionIssuer": {}, "attributes": {"mfaAuthenticated": "true"}}`,
			named(otelaudit.User("AIDAMIA"), "mia", "1", "aws.mfa"),
		},
		"user without MFA": {
			mia + `, "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}`,
			named(otelaudit.User("AIDAMIA"), "mia", "1", ""),
		},
		"user whose console is AWS": {
			mia + `, "invokedBy": "AWS Internal"`,
			service("AWS Internal").For(named(otelaudit.User("AIDAMIA"), "mia", "1", "")),
		},
		"root": {
			`"type": "Root", "principalId": "1", "accountId": "1", "arn": "arn:aws:iam::1:root"`,
			named(otelaudit.User("1"), "", "1", ""),
		},
		"session of a role": {
			session + `, "sessionContext": {` + issuer + `}`,
			named(service("AROADEPLOY:ci"), "deploy/ci", "1", "").For(deploy),
		},
		"session of a role with MFA, by a service": {
			session + `, "invokedBy": "athena.amazonaws.com", "sessionContext": {` + issuer + `, "attributes": {"mfaAuthenticated": "true"}}`,
			service("athena.amazonaws.com").For(named(service("AROADEPLOY:ci"), "deploy/ci", "1", "aws.mfa")).For(deploy),
		},
		"session of a user": {
			`"type": "FederatedUser", "principalId": "1:mia", "accountId": "1",
			"sessionContext": {"sessionIssuer": {"type": "IAMUser", "principalId": "AIDAMIA", "accountId": "1", "userName": "mia"}}`,
			named(otelaudit.User("1:mia"), "", "1", "").For(named(otelaudit.User("AIDAMIA"), "mia", "1", "")),
		},
		"service":                 {`"type": "AWSService", "invokedBy": "ec2.amazonaws.com"`, service("ec2.amazonaws.com")},
		"service without a type":  {`"accountId": "1", "invokedBy": "ec2.amazonaws.com"`, service("ec2.amazonaws.com")},
		"user of another account": {`"type": "AWSAccount", "principalId": "AIDAEVE", "accountId": "2"`, named(otelaudit.User("AIDAEVE"), "", "2", "")},
		"role of another account": {`"type": "AWSAccount", "principalId": "AROAEVE:x", "accountId": "2"`, named(service("AROAEVE:x"), "", "2", "")},
		"another account":         {`"type": "AWSAccount", "principalId": "2", "accountId": "2"`, otelaudit.Actor{}},
		"without credentials":     {`"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"`, otelaudit.Anonymous()},
		"user without an id":      {`"type": "IAMUser", "accountId": "1", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"`, otelaudit.Actor{}},
		"of a new type":           {`"type": "Robot", "principalId": "R2", "accountId": "1"`, otelaudit.Actor{}},
		"service without a name":  {`"type": "AWSService"`, otelaudit.Actor{}},
		"nobody":                  {``, otelaudit.Actor{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := parse([]byte(`{"eventID": "E", "eventTime": "2024-03-01T12:30:45Z", "eventSource": "s", "eventName": "n", "userIdentity": {` + tc.identity + `}}`))
			require.NoError(t, err)
			require.Equal(t, tc.want, e.activity().Actor)
		})
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]struct {
		outcome otelaudit.Outcome
		typ     string
	}{
		`"errorCode": ""`: {otelaudit.Success, ""},
		`"errorCode": null, "responseElements": null`:           {otelaudit.Success, ""},
		`"responseElements": {"ConsoleLogin": "Success"}`:       {otelaudit.Success, ""},
		`"responseElements": ["text"]`:                          {otelaudit.Success, ""},
		`"responseElements": {"ConsoleLogin": "Failure"}`:       {otelaudit.Failure, "ConsoleLoginFailure"},
		`"errorCode": "ThrottlingException"`:                    {otelaudit.Failure, "ThrottlingException"},
		`"errorCode": "NotAccessDenied"`:                        {otelaudit.Failure, "NotAccessDenied"},
		`"errorCode": "AccessDenied"`:                           {otelaudit.Denied, "AccessDenied"},
		`"errorCode": "AccessDeniedException"`:                  {otelaudit.Denied, "AccessDeniedException"},
		`"errorCode": "Client.UnauthorizedOperation"`:           {otelaudit.Denied, "Client.UnauthorizedOperation"},
		`"errorCode": "UnauthorizedAccess"`:                     {otelaudit.Denied, "UnauthorizedAccess"},
		`"errorCode": "AccessDenied", "errorMessage": "secret"`: {otelaudit.Denied, "AccessDenied"},
	} {
		t.Run(fields, func(t *testing.T) {
			t.Parallel()
			e, err := parse([]byte(`{"eventID": "E", "eventTime": "2024-03-01T12:30:45Z", "eventSource": "s", "eventName": "n", ` + fields + `}`))
			require.NoError(t, err)
			recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
			require.NoError(t, err)
			var r otelaudit.Record
			a := e.activity()
			_, err = recorder.Record(t.Context(), &a, &r)
			require.NoError(t, err)
			require.Equal(t, want.outcome, r.Outcome)
			require.Equal(t, want.typ, r.ErrorType)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{`:    "unexpected end",
		`[]`:   "cannot unmarshal",
		`null`: "no eventID",
		`{"eventTime": "2024-03-01T12:30:45Z", "eventSource": "s", "eventName": "n"}`:  "no eventID",
		`{"eventID": "E", "eventSource": "s", "eventName": "n"}`:                       "no eventTime",
		`{"eventID": "E", "eventTime": "today", "eventSource": "s", "eventName": "n"}`: "today",
		`{"eventID": "E", "eventTime": "2024-03-01T12:30:45Z", "eventName": "n"}`:      "no eventSource",
		`{"eventID": "E", "eventTime": "2024-03-01T12:30:45Z", "eventSource": "s"}`:    "no eventName",
	} {
		_, err := parse([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}
