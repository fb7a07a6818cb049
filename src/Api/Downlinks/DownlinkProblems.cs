using System.Globalization;
using WebhookService.Api.Errors;
using WebhookService.Application.Brokers;
using WebhookService.Application.Downlinks;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Api.Downlinks;

/// <summary>Why a broker could not be told something.</summary>
internal static class DownlinkProblems
{
    public static IReadOnlyDictionary<string, string> Naming(long downlink) =>
        new Dictionary<string, string>(StringComparer.Ordinal) { ["downlinkId"] = downlink.ToString(CultureInfo.InvariantCulture) };

    public static Problem Of(NoBrokerException none) => new(StatusCodes.Status409Conflict, none.IsAmbiguous ? "broker-unknown" : "no-broker", "Conflict")
    {
        Detail = none.Message,
        Hint = none.IsAmbiguous
            ? "Wait until the device connects, or say in Brokers:‹n›:Nodes which nodes are whose."
            : "Give the broker's API a place in the configuration, as docs/brokers.md tells: Brokers:0:Url, ApiKey, ApiSecret.",
    };

    public static Problem Of(BrokerException failed) => Of(failed.Fault, failed.Message);

    public static Problem Of(NotPublishedException failed) => Of(failed.Status is DownlinkStatus.Failed ? BrokerFault.NotReached : failed.Fault, failed.Message) with
    {
        Hint = "Nothing was published, so it may be sent again, also under the same Idempotency-Key.",
        Extensions = Naming(failed.Downlink),
    };

    public static Problem Of(KeyTakenException taken) => new(StatusCodes.Status409Conflict, "idempotency-key-taken", "Conflict")
    {
        Detail = taken.Message,
        Parameter = "Idempotency-Key",
        Hint = "Make a new key for each new message.",
    };

    private static Problem Of(BrokerFault fault, string detail) => fault switch
    {
        BrokerFault.NotReached => new(StatusCodes.Status502BadGateway, "broker-unreachable", "Bad Gateway") { Detail = detail },
        BrokerFault.Credentials => new(StatusCodes.Status502BadGateway, "broker-credentials-refused", "Bad Gateway") { Detail = detail },
        BrokerFault.Refused => new(StatusCodes.Status422UnprocessableEntity, "broker-refused", "Unprocessable Content") { Detail = detail },
        _ => new(StatusCodes.Status504GatewayTimeout, "broker-no-answer", "Gateway Timeout") { Detail = detail },
    };
}
