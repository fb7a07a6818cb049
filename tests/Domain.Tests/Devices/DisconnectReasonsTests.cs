using WebhookService.Domain.Devices;
using static WebhookService.Domain.Devices.DisconnectReason;

namespace WebhookService.Domain.Tests.Devices;

public sealed class DisconnectReasonsTests
{
    [Theory]
    [InlineData(ClientDisconnect, "normal", "disconnect_with_will_message", "normal_disconnection")]
    [InlineData(KeepaliveTimeout, "keepalive_timeout", "keep_alive_timeout", "idle_timeout")]
    [InlineData(Takeover, "discarded", "takenover", "takeovered", "session_taken_over")]
    [InlineData(Kicked, "kicked", "administrative_action", "banned")]
    [InlineData(ServerShutdown, "server_shutting_down", "use_another_server", "server_moved", "server_unavailable", "evacuated")]
    [InlineData(NotAuthorized, "not_authorized", "bad_username_or_password", "bad_authentication_method", "auth_expired")]
    [InlineData(Network, "tcp_closed", "ssl_closed", "closed", "remote", "einval", "etimedout", "econnreset", "ehostunreach", "epipe", "timeout")]
    [InlineData(
        ProtocolError, "frame_error", "frame_too_large", "malformed_packet", "protocol_error", "packet_too_large", "topic_alias_invalid", "topic_name_invalid",
        "receive_maximum_exceeded", "message_rate_too_high", "quota_exceeded", "emsgsize", "{shutdown,{frame_error,badflag}}", "{malformed_packet,x}")]
    [InlineData(Other, "internal_error", "expired", "unspecified_error", "NORMAL", "", null)]
    public void Every_word_has_its_class(DisconnectReason reason, params string?[] words)
    {
        Assert.All(words, word => Assert.Equal(reason, DisconnectReasons.Of(word)));
    }
}
