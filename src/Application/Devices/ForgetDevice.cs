using WebhookService.Application.Common;
using WebhookService.Application.Notices;
using WebhookService.Domain;
using WebhookService.Domain.Devices;

namespace WebhookService.Application.Devices;

/// <summary>
/// Deletes a device and its data. One command removes a bounded number of rows, so that ingest goes on beside it: send it until it is
/// <see cref="Forgotten.Completely"/>.
/// </summary>
/// <param name="IfVersion">The version the caller saw; null to delete whatever is there.</param>
public sealed record ForgetDevice(ClientId Client, long? IfVersion = null) : ICommand<Forgotten>
{
    /// <summary>Rows of messages and events that one command removes at the most.</summary>
    public const int Step = 2_000;
}

public enum Forgotten
{
    Completely,
    InPart,
    OtherVersion,
}

internal sealed class ForgetDeviceHandler(IDeviceRepository devices, DeadLetterNotices notices) : ICommandHandler<ForgetDevice, Forgotten>
{
    public async Task<Forgotten> Handle(ForgetDevice command, CancellationToken cancellationToken)
    {
        if (command.IfVersion is { } version && version != (await devices.FindAsync(command.Client, cancellationToken))?.Version) return Forgotten.OtherVersion;

        if (!await devices.ForgetAsync(command.Client, ForgetDevice.Step, cancellationToken)) return Forgotten.InPart;
        await notices.RemovedAsync(cancellationToken); // its dead letters went with it
        return Forgotten.Completely;
    }
}
