package sandbox

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// locked runs h under a lock, once the whole JSON body has arrived: a slow
// client must not hold up the others.
func locked(mu sync.Locker, h handler) handler {
	return func(r *request) (any, error) {
		if r.Body != nil && r.Method != http.MethodGet {
			body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, maxBody))
			if err != nil {
				return nil, failure(http.StatusRequestEntityTooLarge, "INVALID_PARAMETER_VALUE", "Request body is too large")
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		mu.Lock()
		defer mu.Unlock()
		return h(r)
	}
}
