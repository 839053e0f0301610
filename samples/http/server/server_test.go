package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHash(t *testing.T) {
	for body, want := range map[string]string{
		"":    `{"bytes":0,"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}`,
		"abc": `{"bytes":3,"sha256":"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="}`,
	} {
		answer := httptest.NewRecorder()
		Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/hash", strings.NewReader(body)))
		if got := strings.TrimSpace(answer.Body.String()); got != want {
			t.Errorf("hash of %q: %s", body, got)
		}
	}
}

func TestOnlyPost(t *testing.T) {
	answer := httptest.NewRecorder()
	Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/hash", nil))
	if answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET /hash: status %d", answer.Code)
	}
}
