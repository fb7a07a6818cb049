using WebhookService.Application.Common;
using WebhookService.Domain;

namespace WebhookService.Application.Devices;

/// <summary>The devices among the given ids that are known, in the order and as often as they are asked for.</summary>
public sealed record GetDeviceStates(IReadOnlyList<ClientId> Clients) : IQuery<IReadOnlyList<DeviceView>>;
