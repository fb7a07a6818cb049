using WebhookService.Application.Common;
using WebhookService.Domain;

namespace WebhookService.Application.Devices;

/// <summary>One device; null if no report ever named it.</summary>
public sealed record GetDevice(ClientId Client) : IQuery<DeviceView?>;

/// <summary>Whether a report ever named the device.</summary>
public sealed record IsDeviceKnown(ClientId Client) : IQuery<bool>;
