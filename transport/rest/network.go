package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// broken explains a request without an answer. Errors of net/http are looked at
// and never quoted: they hold URLs, and those of a proxy its password.
func (x *exchange) broken(ctx context.Context, err error) *failure {
	err = bare(err)
	if x.source.failed() != nil || strings.Contains(err.Error(), "with Body length") {
		return &failure{Error: &catalog.Error{Kind: catalog.Invalid, Message: x.call.About() + ": the file to send could not be read to its end, or changed meanwhile", Advice: "Check the file and call again."}, fate: lost, final: true}
	}
	f := &failure{Error: &catalog.Error{Kind: catalog.Down}, fate: lost, tries: networkTries, quick: true}
	if neverSent(err) || x.client.traced && !x.connected {
		f.fate = unsent
	}
	if ctx.Err() != nil {
		return gaveUp(ctx, x.call, f.fate, nil)
	}
	problem, advice, permanent := diagnose(err)
	f.Message = x.call.About() + ": " + x.client.hostName() + " " + problem
	f.Advice, f.final = advice, permanent
	return f
}

func (c *Client) hostName() string {
	_, name, _ := strings.Cut(c.config.Host, "://")
	return name
}

// neverSent reports errors that come before the first byte of a request.
// Anything that is not certain counts as sent.
func neverSent(err error) bool {
	var (
		op   *net.OpError
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		text tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns), errors.As(err, &cert), errors.As(err, &text), errors.Is(err, http.ErrSchemeMismatch):
		return true
	case errors.As(err, &op):
		return op.Op == "dial" || op.Op == "proxyconnect"
	}
	return err.Error() == "net/http: TLS handshake timeout"
}

const checkNetwork = "Check the network, the VPN, and HTTPS_PROXY if this network needs a proxy; then call again."

// diagnose puts an error of the network into words. A permanent one is not
// worth another attempt.
func diagnose(err error) (problem, advice string, permanent bool) {
	var (
		op        *net.OpError
		dns       *net.DNSError
		unknownCA x509.UnknownAuthorityError
		cert      *tls.CertificateVerificationError
		text      tls.RecordHeaderError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "cannot be reached through the configured proxy", "Check HTTPS_PROXY and NO_PROXY, and whether the proxy wants a sign-in.", false
	case errors.As(err, &dns) && dns.IsNotFound:
		return "does not exist (DNS)", "Check the spelling of the configured host, and whether it can be resolved from this network (VPN, private link).", true
	case errors.As(err, &dns):
		return "could not be looked up (DNS)", checkNetwork, false
	case errors.As(err, &unknownCA):
		return "shows a TLS certificate from an authority that this machine does not know", "Behind a proxy that inspects TLS, a person must name the company's CA file in SSL_CERT_FILE.", true
	case errors.As(err, &cert):
		return "shows a TLS certificate that is not valid for it", "Check the configured host, and the clock of this machine.", true
	case errors.As(err, &text), errors.Is(err, http.ErrSchemeMismatch):
		return "does not speak TLS on that port", "Check the port of the configured host, and HTTPS_PROXY.", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections", "Check host and port. " + checkNetwork, false
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "broke the connection before it answered", "Call again in a moment.", false
	case errors.As(err, &timeout) && timeout.Timeout():
		return "did not answer in time", checkNetwork, false
	}
	return "could not be reached", checkNetwork, false
}

// gaveUp explains a call that ended here: the caller cancelled it, its deadline
// passed, or nothing moved any more. after is the failure that it was waiting
// to repeat, if it was.
func gaveUp(ctx context.Context, call *catalog.Call, fate fate, after *failure) *failure {
	f := &failure{Error: &catalog.Error{Kind: catalog.Busy, Err: ctx.Err()}, fate: fate, final: true}
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errInactivity):
		f.Kind, f.Err = catalog.Down, errInactivity
		f.Message = call.About() + ": no data moved for " + patience(call).String()
		f.Advice = checkNetwork
	case errors.Is(ctx.Err(), context.Canceled):
		f.Message = call.About() + ": the call was cancelled"
		f.Advice = "Call again if it is still wanted."
	case after != nil:
		return after
	default:
		f.Err = context.DeadlineExceeded
		f.Message = call.About() + ": the workspace did not answer in the time that the call had"
		f.Advice = "Ask for less at once, or call again later."
	}
	if after != nil {
		f.RequestID, f.Status = after.RequestID, after.Status
	}
	return f
}

// check refuses an answer that is no JSON although it says success.
func (x *exchange) check(answer *catalog.Answer, body []byte) *failure {
	start := 0
	for start < len(body) && body[start] <= ' ' {
		start++
	}
	switch {
	case start == len(body):
		return nil
	case body[start] == '<':
		return &failure{Error: webPage(x.call, answer.RequestID, answer.Status), fate: refused}
	case !gjson.ValidBytes(body):
		return x.half(answer, "the answer of the workspace is not complete JSON")
	}
	return nil
}

// halfRead explains an answer whose body could not be read.
func (x *exchange) halfRead(ctx context.Context, answer *catalog.Answer, err error) *failure {
	var f *failure
	switch {
	case errors.Is(err, errTooBig):
		f = x.half(answer, errTooBig.Error())
		f.Kind, f.final = catalog.Invalid, true
		f.Advice = "Ask for less: a smaller page, a range, or fewer columns and rows."
	case ctx.Err() != nil:
		f = gaveUp(ctx, x.call, lost, nil)
		f.RequestID, f.Status = answer.RequestID, answer.Status
	default:
		f = x.half(answer, "the answer of the workspace broke off")
	}
	return f
}

func (x *exchange) half(answer *catalog.Answer, problem string) *failure {
	return &failure{Error: &catalog.Error{
		Kind: catalog.Down, Status: answer.Status, RequestID: answer.RequestID,
		Message: x.call.About() + ": " + problem,
		Advice:  "Call again; if it stays, report the request id.",
	}, fate: lost, tries: networkTries, quick: true}
}

// seconds rounds a wait up to what is worth saying.
func seconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}
