package http

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/server"
)

// postModern takes a message of the revision 2026-07-28: it is complete in itself, and a
// client cancels its call by closing the connection. A notification that cancels by an id
// is ignored: ids of different clients are the same.
func (s *Server) postModern(w http.ResponseWriter, r *http.Request, h *server.Handler, message []byte, env envelope, streams bool) {
	if refused, status := checkModern(r.Header, env); refused != nil {
		writeJSON(w, status, refused)
		return
	}
	if !env.isRequest() {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if env.Method == mcp.MethodToolsCall {
		if err := h.CheckHeaders(env.Params, func(name string) (string, bool) { return r.Header.Get(name), len(r.Header.Values(name)) > 0 }); err != nil {
			writeJSON(w, http.StatusBadRequest, rpcError(env.ID, mcp.HEADER_MISMATCH, err.Error()))
			return
		}
	}
	one, err := h.Open(r.Context(), "http")
	if err != nil {
		s.log.Error("opening a session", "err", err)
		writeJSON(w, http.StatusInternalServerError, rpcError(env.ID, mcp.INTERNAL_ERROR, "the request could not be served; the server's log says why"))
		return
	}
	defer one.Close(context.WithoutCancel(r.Context()))
	ctx, end := s.requestContext(r, context.Canceled)
	defer end()
	if env.Method == mcp.MethodSubscriptionsListen {
		s.subscribe(ctx, w, one, message, streams)
		return
	}
	s.answer(ctx, w, one, message, streams, modernStatus)
}

// checkModern returns the refusal of a message whose headers are not those of its body.
func checkModern(header http.Header, env envelope) (refused []byte, status int) {
	version := header.Get(mcp.HeaderProtocolVersion)
	refuse := func(code int, why string) ([]byte, int) { return rpcError(env.ID, code, why), http.StatusBadRequest }
	switch {
	case env.Method == "" && len(env.ID) > 0:
		return refuse(mcp.INVALID_REQUEST, "responses to the server are not a part of this revision of the protocol; answer in the next request")
	case header.Get(mcp.HeaderLastEventID) != "":
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderLastEventID+" is not supported: streams cannot be resumed; send the request again with a new id")
	case version == "":
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+" is missing")
	case env.meta == "" && env.isRequest():
		return refuse(mcp.INVALID_PARAMS, "missing or invalid _meta field "+mcp.MetaKeyProtocolVersion)
	case env.meta != "" && env.meta != version:
		return refuse(mcp.HEADER_MISMATCH, mcp.HeaderProtocolVersion+" is not the version in _meta")
	case !mcp.IsValidProtocolVersion(version):
		e := mcp.UnsupportedProtocolVersionError{Version: version, Supported: mcp.ValidProtocolVersions}.JSONRPCError()
		out, _ := json.Marshal(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": env.ID, "error": e.Error}) // it is made of strings
		return out, http.StatusBadRequest
	}
	if err := mcp.ValidateStandardHeaders(header.Get, version, env.Method, env.Params); err != nil {
		return refuse(mcp.HEADER_MISMATCH, err.Error())
	}
	return nil, 0
}

// modernStatus is the status that the revision 2026-07-28 gives a response.
func modernStatus(response []byte) int {
	switch errorCode(response) {
	case mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	case mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, mcp.UNSUPPORTED_PROTOCOL_VERSION, mcp.INVALID_REQUEST, mcp.INVALID_PARAMS, mcp.PARSE_ERROR:
		return http.StatusBadRequest
	}
	return http.StatusOK
}
