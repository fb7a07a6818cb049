namespace WebhookService.Domain.Devices;

/// <summary>Why a connection ended, in words that do not change with the broker's version.</summary>
public enum DisconnectReason
{
    Other,
    ClientDisconnect,
    KeepaliveTimeout,
    Network,
    Takeover,
    Kicked,
    ServerShutdown,
    ProtocolError,
    NotAuthorized,
}

/// <summary>Sorts the broker's raw words. The list is open: EMQX prints whatever ended the process, down to Erlang terms.</summary>
public static class DisconnectReasons
{
    /// <summary>The class of an EMQX reason word (`emqx_channel`/`emqx_connection`, 4.0 to 6.x; MQTT 5 reason names).</summary>
    public static DisconnectReason Of(string? raw) => raw switch
    {
        "normal" or "disconnect_with_will_message" or "normal_disconnection" => DisconnectReason.ClientDisconnect,
        "keepalive_timeout" or "keep_alive_timeout" or "idle_timeout" => DisconnectReason.KeepaliveTimeout,
        "discarded" or "takenover" or "takeovered" or "session_taken_over" => DisconnectReason.Takeover,
        "kicked" or "administrative_action" or "banned" => DisconnectReason.Kicked,
        "server_shutting_down" or "use_another_server" or "server_moved" or "server_unavailable" or "evacuated" => DisconnectReason.ServerShutdown,
        "not_authorized" or "bad_username_or_password" or "bad_authentication_method" or "auth_expired" => DisconnectReason.NotAuthorized,
        "tcp_closed" or "ssl_closed" or "closed" or "remote" or "remote_close" or "einval" or "etimedout" or "econnreset"
            or "ehostunreach" or "enetunreach" or "epipe" or "timeout" or "tcp_error" or "ssl_error" or "sock_closed" or "connection_closed"
            => DisconnectReason.Network,
        "frame_error" or "frame_too_large" or "malformed_packet" or "protocol_error" or "packet_too_large" or "topic_alias_invalid"
            or "receive_maximum_exceeded" or "message_rate_too_high" or "quota_exceeded" or "emsgsize" or "bad_frame"
            or "topic_filter_invalid" or "topic_name_invalid" or "unexpected_packet" => DisconnectReason.ProtocolError,
        not null when raw.Contains("frame_error", StringComparison.Ordinal) || raw.Contains("malformed", StringComparison.Ordinal) => DisconnectReason.ProtocolError,
        _ => DisconnectReason.Other,
    };
}
