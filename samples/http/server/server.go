// Package server answers with the hash of what it is sent.
package server

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
)

// Answer is what the server says about a body.
type Answer struct {
	Bytes  int64  `json:"bytes"`
	Sha256 []byte `json:"sha256"`
}

// Handler serves POST /hash and GET /health.
func Handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/hash", hash)
	routes.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	return routes
}

func hash(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST a body", http.StatusMethodNotAllowed)
		return
	}
	sum := sha256.New()
	size, err := io.Copy(sum, http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Answer{size, sum.Sum(nil)})
}
