using System.Reflection;
using AutoMapper;
using AutoMapper.Configuration;

namespace WebhookService.Api.Devices;

/// <summary>What reading devices and sessions needs.</summary>
internal static class DevicesRoom
{
    public static IServiceCollection AddDevices(this IServiceCollection services)
    {
        services.AddClientIdsInPaths();
        return services.AddSingleton(new MapperConfiguration(maps =>
        {
            var devices = new DeviceMaps();
            ForgetLinq((IProfileConfiguration)maps);
            ForgetLinq(devices);
            maps.AddProfile(devices);
        }).CreateMapper());
    }

    // AutoMapper 8 tries LINQ's methods as sources of members and trips over those with constraints that LINQ has had since .NET 7.
    private static void ForgetLinq(IProfileConfiguration profile) => ((List<MethodInfo>)profile.SourceExtensionMethods).Clear();
}
